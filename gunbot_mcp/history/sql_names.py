"""What a query may name: node types of DuckDB's syntax tree, functions and table functions. All else is refused.

From DuckDB 2.0's own lists. Left out is what tells of the process or the engine (settings, variables, versions, the
catalog), what reads or writes files, what waits, and what has no use over orders.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NODES = _words(
    """
    SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE
    BASE_TABLE EMPTY EXPRESSION_LIST JOIN PIVOT SHOW_REF SUBQUERY TABLE_FUNCTION
    DISTINCT_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER ORDER_MODIFIER
    ASCENDING DESCENDING ORDER_DEFAULT
    COMPARE_BETWEEN CASE_EXPR OPERATOR_CAST COLUMN_REF FUNCTION LAMBDA POSITIONAL_REFERENCE STAR TYPE VALUE_CONSTANT
    COMPARE_EQUAL COMPARE_NOTEQUAL COMPARE_LESSTHAN COMPARE_GREATERTHAN COMPARE_LESSTHANOREQUALTO
    COMPARE_GREATERTHANOREQUALTO COMPARE_DISTINCT_FROM COMPARE_NOT_DISTINCT_FROM COMPARE_IN COMPARE_NOT_IN
    CONJUNCTION_AND CONJUNCTION_OR
    ARRAY_EXTRACT ARRAY_SLICE GROUPING_FUNCTION OPERATOR_COALESCE OPERATOR_IS_NOT_NULL OPERATOR_IS_NULL OPERATOR_NOT
    OPERATOR_NULLIF OPERATOR_TRY STRUCT_EXTRACT ARRAY_CONSTRUCTOR
    WINDOW_AGGREGATE WINDOW_CUME_DIST WINDOW_FILL WINDOW_FIRST_VALUE WINDOW_LAG WINDOW_LAST_VALUE WINDOW_LEAD
    WINDOW_NTH_VALUE WINDOW_NTILE WINDOW_PERCENT_RANK WINDOW_RANK WINDOW_RANK_DENSE WINDOW_ROW_NUMBER
    """
)
"""Types of nodes. No query node that writes is here: as common table expressions they count as SELECT in DuckDB."""

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each"})

FUNCTIONS = _words(
    """
    !~~ !~~* % & * ** + - ->> / // < << <= <> = > >= >> @ @> <@ ^ ^@ || | ~ ~~ ~~* ~~~ && != !__postfix __between
    not_like_escape like_escape ilike_escape not_ilike_escape

    abs add cbrt ceil ceiling degrees divide even exp factorial floor fmod gamma gcd greatest
    greatest_common_divisor isfinite isinf isnan lcm least least_common_multiple lgamma ln log log10 log2 mod multiply
    pi pow power radians random round round_even roundbankers setseed sign signbit sqrt subtract trunc xor
    sin cos tan asin acos atan atan2 sinh cosh tanh bit_count fdiv hash

    age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
    dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear julian
    last_day make_date make_time make_timestamp make_timestamp_ms make_timestamptz microsecond millennium millisecond
    minute month monthname nanosecond quarter second strftime strptime try_strptime time_bucket timezone timezone_hour
    timezone_minute to_days to_hours to_microseconds to_milliseconds to_minutes to_months to_quarters to_seconds
    to_timestamp to_weeks to_years week weekday weekofyear year yearweek now today current_date current_localtime
    current_localtimestamp get_current_timestamp get_current_time transaction_timestamp normalized_interval ago

    ascii bar base64 bin char_length character_length chr concat concat_ws contains damerau_levenshtein ends_with
    format format_bytes from_base64 from_hex hamming hex instr jaccard jaro_similarity jaro_winkler_similarity lcase
    left length len levenshtein lower lpad ltrim md5 mismatches nfc_normalize octet_length ord overlay position prefix
    printf regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
    regexp_split_to_array repeat replace reverse right rpad rtrim sha256 split split_part starts_with str_split
    str_split_regex string_split string_split_regex string_to_array strip_accents strlen strpos substr substring suffix
    to_base translate trim ucase unhex unicode upper url_decode url_encode uuid gen_random_uuid encode decode bit_length

    json json_array json_array_length json_contains json_exists json_extract json_extract_path json_extract_path_text
    json_extract_string json_group_array json_group_object json_keys json_merge_patch json_object json_pretty
    json_quote json_structure json_type json_valid json_value to_json row_to_json array_to_json from_json

    aggregate apply array_agg array_append array_concat array_contains array_distinct array_extract array_filter
    array_has array_has_all array_has_any array_indexof array_intersect array_length array_pop_back array_pop_front
    array_position array_prepend array_reverse array_reverse_sort array_select array_slice array_sort array_to_string
    array_transform array_unique array_value array_where array_zip cardinality element_at equi_width_bins filter
    flatten generate_series grade_up list_aggr list_aggregate list_any_value list_append list_apply list_avg list_cat
    list_concat list_contains list_count list_distinct list_element list_extract list_filter list_first list_grade_up
    list_has list_has_all list_has_any list_histogram list_indexof list_intersect list_last list_max list_median
    list_min list_mode list_pack list_position list_prepend list_product list_reduce list_resize list_reverse
    list_reverse_sort list_select list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum
    list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip map map_concat map_contains
    map_entries map_extract map_extract_value map_from_entries map_keys map_values range reduce row struct_concat
    struct_extract struct_extract_at struct_insert struct_keys struct_pack struct_values unnest unpivot_list

    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_min arg_min_null
    argmax argmin avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop
    covar_samp entropy favg first fsum geomean geometric_mean group_concat histogram histogram_exact kahan_sum kurtosis
    kurtosis_pop last list listagg lttb mad max max_by mean median min min_by mode product quantile quantile_cont
    quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    reservoir_quantile sem skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop
    var_samp variance wavg weighted_avg

    alias constant_or_null if nullif switch typeof can_cast_implicitly is_histogram_other_bin
    """
) | {"is distinct from", "is not distinct from"}
"""Scalar functions, aggregates, macros and operators, in lower case where they are words."""

SHAPES = frozenset(
    {
        frozenset(names.split())
        for names in (
            "alias star_expr values",
            "aliases key_targets materialized payload_aggregates query_node",
            "entries pivot_enum pivot_expressions unpivot_names",
            "error statements",
            "expression name",
            "id type_info",
            "is_null type value",
            "is_percentage method repeatable sample_rate sample_size seed",
            "key value",
            "kind text",
            "map",
            "named_param_map node",
            "path",
            "then_expr when_expr",
            "catalog column schema table",
            "node",
        )
    }
)
"""The members of what in a tree has no type. Anything else is new, so it is refused until somebody looked at it."""
