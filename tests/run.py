#!/usr/bin/python3
"""
Runs the end-to-end tests: every tests/e2e/test_*.py, each file in a process of its own.  Ends with
"N passed, N failed, N skipped"; the exit status is 1 if anything failed.

DBSAFE_MODE=test|release|asan|tsan|cov   which build/<MODE>/dbsafe is tested
DBSAFE_VALGRIND=1                        each dbsafe under valgrind
DBSAFE_SEED=N                            seed of the samples; 0: a new one, which is printed
DBSAFE_TEST_TMP=FOLDER                   where the servers live (short path); DBSAFE_KEEP=1 keeps their folders
"""

import argparse
import collections
import faulthandler
import importlib.util
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))


class JsonResult(unittest.TextTestResult):
    """Writes one JSON line per finished test (or subtest that failed) to a descriptor."""

    channel = None

    def _say(self, outcome, test, detail=""):
        name = test.id() if test is not None else "?"
        seconds = time.monotonic() - getattr(self, "_begin", time.monotonic())
        JsonResult.channel.write(json.dumps({"outcome": outcome, "test": name, "detail": detail, "seconds": seconds}) + "\n")
        JsonResult.channel.flush()

    def startTest(self, test):
        self._begin = time.monotonic()
        self._bad_subtests = False
        super().startTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say("passed", test)

    def addError(self, test, err):
        super().addError(test, err)
        self._say("failed", test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._say("failed", test, self.failures[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say("skipped", test, reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            bad = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._say("failed", subtest, bad[-1][1])

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._say("passed", test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._say("failed", test, "unexpected success")


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def worker(path, pattern, channel, limit):
    """In a process of its own: runs the tests of one file."""
    faulthandler.enable()
    faulthandler.dump_traceback_later(limit, exit=True)

    def end(*_):
        signal.alarm(20)  # threads that have much left to do are not waited for: servers end with their parent too
        sys.exit(143)     # runs the clean-ups: servers end
    signal.signal(signal.SIGTERM, end)
    JsonResult.channel = os.fdopen(channel, "w")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    wanted = unittest.TestSuite()
    for test in flatten(unittest.defaultTestLoader.loadTestsFromModule(module)):
        if re.search(pattern, test.id()):
            wanted.addTest(test)
    unittest.TextTestRunner(stream=sys.stderr, resultclass=JsonResult, buffer=True, verbosity=0).run(wanted)


class File:
    """One test file being run."""

    def __init__(self, path, options):
        self.path, self.begin, self.buffer, self.output = path, time.monotonic(), b"", b""
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", sys.executable, __file__, "--worker", str(path), "--channel", str(writer), "--filter", options.filter,
             "--limit", str(options.limit)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=False,
            start_new_session=True)
        os.close(writer)
        os.set_inheritable(reader, False)
        self.reader = reader


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", default="", metavar="REGEX", help="only tests whose test_file.Class.test_name matches")
    parser.add_argument("--full", action="store_true", help="full counts instead of seeded samples")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), metavar="N", help="test files at a time")
    parser.add_argument("--limit", type=int, default=0, metavar="S", help="seconds a file may take (3600; --full: 6 h)")
    parser.add_argument("--list", action="store_true", help="only name the test files")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each test as it ends")
    parser.add_argument("files", nargs="*", help="test files; default all of tests/e2e")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--channel", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.limit = options.limit or (6 * 3600 if options.full else 3600)
    if options.worker:
        worker(Path(options.worker), options.filter, options.channel, options.limit)
        return 0

    if options.full:
        os.environ["DBSAFE_FULL"] = "1"
    seed = os.environ.get("DBSAFE_SEED") or "1"
    if seed == "0":
        seed = str(random.SystemRandom().randrange(1, 1 << 31))
    os.environ["DBSAFE_SEED"] = seed
    mode = os.environ.setdefault("DBSAFE_MODE", "test")
    files = [Path(f).resolve() for f in options.files] or sorted((TESTS / "e2e").glob("test_*.py"))
    if options.list:
        print("\n".join(map(str, files)))
        return 0
    # A filter that begins with a file's name starts only that file.
    stem = re.match(r"\^?(test_\w+)(?:\\?\.|$)", options.filter)
    if stem and "|" not in options.filter and any(f.stem == stem[1] for f in files):
        files = [f for f in files if f.stem == stem[1]]
    print(f"end-to-end tests: MODE={mode} DBSAFE_SEED={seed}{' full' if options.full else ''}", flush=True)

    from lib import daemon, server
    server.template()
    daemon.sweep()
    counts, failures = collections.Counter(), []
    # The files that took longest the last time come first, before them those that are new.
    times = TESTS.parent / "build" / "e2e-seconds.json"
    seconds = json.loads(times.read_text()) if times.exists() else {}
    waiting = sorted(files, key=lambda f: (-seconds.get(f.stem, 1e9), -f.stat().st_size))
    active = []

    def terminate(*_):
        raise SystemExit(130)  # not more in here: a wait() that is interrupted holds a lock that another one needs
    signal.signal(signal.SIGINT, terminate)
    signal.signal(signal.SIGTERM, terminate)

    def note(line, file):
        result = json.loads(line)
        counts[result["outcome"]] += 1
        if result["outcome"] == "failed":
            failures.append(result["test"])
            print(f"FAIL {result['test']} ({result['seconds']:.1f} s)\n{result['detail']}", flush=True)
        elif result["outcome"] == "skipped":
            print(f"skip {result['test']}: {result['detail']}", flush=True)
        elif options.verbose:
            print(f"ok   {result['test']} ({result['seconds']:.1f} s)", flush=True)

    try:
        while waiting or active:
            while waiting and len(active) < max(options.jobs, 1):
                active.append(File(waiting.pop(0), options))
            streams = {f.reader: f for f in active if f.reader is not None}
            streams.update({f.process.stdout.fileno(): f for f in active if not f.process.stdout.closed})
            ready, _, _ = select.select(list(streams), [], [], 1)
            for fd in ready:
                file = streams[fd]
                data = os.read(fd, 1 << 16)
                if fd == file.reader:
                    if not data:
                        os.close(fd)
                        file.reader = None
                    *lines, file.buffer = (file.buffer + data).split(b"\n")
                    for line in lines:
                        note(line, file)
                elif data:
                    file.output = (file.output + data)[-200000:]
                else:
                    file.process.stdout.close()
            for file in [f for f in active if f.reader is None and f.process.stdout.closed]:
                status = file.process.wait()
                active.remove(file)
                if status != 0:
                    counts["failed"] += 1
                    failures.append(file.path.name)
                    print(f"FAIL {file.path.name}: the process ended with {status}\n"
                          f"{file.output.decode(errors='replace')}", flush=True)
                else:
                    if not options.filter:
                        seconds[file.path.stem] = round(time.monotonic() - file.begin, 1)
                    print(f"done {file.path.name} ({time.monotonic() - file.begin:.1f} s)", flush=True)
    finally:
        for file in active:
            file.process.terminate()
        for file in active:
            file.process.wait()
    if not options.filter and os.access(times.parent, os.W_OK):
        times.write_text(json.dumps(seconds) + "\n")
    if failures:
        print("failed:", *failures, sep="\n  ")
    if not counts["passed"] and not counts["failed"]:
        print("no test matched")
        counts["failed"] += 1
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
