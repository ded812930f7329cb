import shlex
import subprocess
import sys

WRITE_AND_PRINT = """
from gunbot_mcp.server.stdio import _protocol_output
with _protocol_output() as output:
    print("a stray word", flush=True)
    output.write("an answer\\n")
print("afterwards", flush=True)
"""
WRITE_AND_DIE = """
import os
from gunbot_mcp.server.stdio import _protocol_output
with _protocol_output() as output:
    output.write("an answer\\n")
    os._exit(0)
"""


def test_what_is_printed_while_serving_goes_to_stderr_and_never_between_the_answers() -> None:
    done = subprocess.run([sys.executable, "-c", WRITE_AND_PRINT], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("an answer\nafterwards\n", "a stray word\n")


def test_without_a_stderr_what_is_printed_while_serving_goes_nowhere() -> None:
    command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(WRITE_AND_PRINT)} 2>&-"
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "an answer\nafterwards\n"


def test_an_answer_is_on_its_way_when_it_is_written() -> None:
    done = subprocess.run([sys.executable, "-c", WRITE_AND_DIE], capture_output=True, text=True, check=True)
    assert done.stdout == "an answer\n"
