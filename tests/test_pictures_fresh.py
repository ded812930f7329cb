"""The README's pictures are there, small, shown, and of what the product looks like now. Pixels are not compared."""

import pytest
from web.pictures import MOST_BYTES, NAMES, ROOT, SCHEMES, file, recorded, sources

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_there_in_light_and_dark_and_the_readme_shows_it(name: str) -> None:
    for scheme in SCHEMES:
        picture = file(name, scheme)
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size <= MOST_BYTES
        assert picture.relative_to(ROOT).as_posix() in README


def test_pictures_were_taken_after_what_they_show_last_changed() -> None:
    assert recorded() == sources(), "scripts/pictures takes them anew; look at each"
