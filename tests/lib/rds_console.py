"""
The RDS double for unit tests in C (tests/support/rds_console.h): each line of standard input is Python, in which `rds` is the double;
its value comes back as one line. It ends with its input.
"""

import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib.rds_double import RdsDouble  # noqa: E402


def main():
    with RdsDouble() as rds:
        for name, value in rds.env().items():
            print(f"{name}={value}", flush=True)
        print("ready", flush=True)
        for line in sys.stdin:
            try:
                try:
                    answer = eval(line, {"rds": rds})
                except SyntaxError:
                    answer = exec(line, {"rds": rds})
            except Exception:
                answer = "ERROR " + traceback.format_exc()
            print(str(answer).replace("\n", " "), flush=True)


main()
