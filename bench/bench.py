#!/usr/bin/python3
"""
Speed against the stock tools, as ratios, on a private MariaDB beside the client:

  dump      dbsafe dump       against   mariadb-dump | zstd -1
  restore   dbsafe restore    against   mariadb < dump.sql       (dbsafe also re-reads and compares every row)
  s3-dump   dbsafe dump to S3 against   dbsafe dump to a folder
  s3-copy   dbsafe copy to S3 against   aws s3 cp and rclone copyto, of a ready archive of 2 GiB
  rollback  dbsafe rollback of a point, with the share of each step; against the time that it may take, not against a tool.
            A thousand rows were deleted since.  --bytes 5G is what the aim of 10 minutes is about.

One table of 1 GB of text, 2 threads, 5 rounds in which the programs take turns, medians; peak memory of dbsafe alone.
The build measured is build/dbsafe (MODE=release).  The table is kept in build/ for the next run.
S3 is Ceph's RADOS gateway on the same machine, with which the programs share the processors (bench/s3.py).

  bench/bench.py [--quick] [--bytes 1G] [--table orders] [--threads 2] [--rounds 5]
                 [--only dump|restore|s3-dump|s3-copy|rollback]
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ["DBSAFE_MODE"] = "release"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "fixtures")]

import generate  # noqa: E402
import s3  # noqa: E402
from measured import Measured  # noqa: E402
from lib import Server, compare_schemas, dbsafe_path, expect, run  # noqa: E402
from lib.process import client_env  # noqa: E402

AIM = {"dump": 1.5, "restore": 1.5}
SCHEMA = "bench"
ROLLBACK_AIM_S = 600


def shell(server, command):
    """Runs a pipeline of the stock tools; every part of it must succeed."""
    env = client_env(server.home)
    return expect(run(["bash", "-c", "set -o pipefail; " + command], env=env, timeout=7200), 0)


def filled_server(options):
    """A server with the table; its data folder comes from the last run, if that had the same table."""
    server = Server(durable=True, binlog=options.binlog, buffer_pool=options.buffer_pool, log_file_size="512M")
    source = (ROOT / "tests/fixtures/generate.py").read_bytes() + (ROOT / "tests/fixtures/chatbot_messages.sql").read_bytes()
    kept = ROOT / "build" / f"bench-{options.table}-{options.bytes}-{hash_of(source)}"
    if kept.exists():
        shutil.copytree(kept, server.data)
        return server.start()
    for old in (ROOT / "build").glob("bench-*"):
        shutil.rmtree(old, ignore_errors=True)
    print(f"making a table of {options.bytes >> 20} MiB ...", file=sys.stderr, flush=True)
    server.start()
    generate.generate(server.connect, SCHEMA, options.table, total_bytes=options.bytes)
    server.sql("SET GLOBAL innodb_fast_shutdown=0")
    server.stop()
    shutil.copytree(server.data, str(kept) + ".new")
    os.rename(str(kept) + ".new", kept)
    return server.start()


def hash_of(data):
    return hashlib.sha256(data).hexdigest()[:12]


def bench_dump(server, options):
    ours, theirs = Measured("dbsafe dump"), Measured("mariadb-dump | zstd -1")
    archive, other = server.folder / "ours.tar", server.folder / "theirs.sql.zst"
    stock = f"mariadb-dump --defaults-file={server.defaults_file} --single-transaction {SCHEMA} | zstd -1 -q -c > {other}"
    for number in range(options.rounds + 1):
        a = server.dbsafe("dump", SCHEMA, "-o", archive, "--threads", options.threads, timeout=7200)
        b = shell(server, stock)
        if number > 0:  # the first round warms the caches
            ours.add(a)
            theirs.add(b)
            print(f"round {number}: {a.seconds:.2f} s against {b.seconds:.2f} s", file=sys.stderr, flush=True)
        sizes = [archive.stat().st_size, other.stat().st_size]
        archive.unlink()
        other.unlink()
    return ours, theirs, sizes


def bench_restore(server, options):
    ours, theirs = Measured("dbsafe restore (with verification)"), Measured("mariadb < dump.sql")
    archive, other = server.folder / "ours.tar", server.folder / "theirs.sql"
    server.dbsafe("dump", SCHEMA, "-o", archive, "--threads", options.threads, timeout=7200)
    shell(server, f"mariadb-dump --defaults-file={server.defaults_file} --single-transaction {SCHEMA} > {other}")
    for number in range(options.rounds + 1):
        server.sql("CREATE DATABASE stock CHARACTER SET utf8mb4")
        b = shell(server, f"mariadb --defaults-file={server.defaults_file} stock < {other}")
        a = server.dbsafe("restore", archive, "--into", "restored", "--threads", options.threads, timeout=7200)
        if number > 0:
            ours.add(a)
            theirs.add(b)
            print(f"round {number}: {a.seconds:.2f} s against {b.seconds:.2f} s", file=sys.stderr, flush=True)
        else:
            problems = compare_schemas(server, SCHEMA, "restored", by_dump=False)
            if problems:
                raise SystemExit(f"the restored table is not the dumped one: {problems}")
        server.sql("DROP DATABASE stock")
        server.sql("DROP DATABASE restored")
    return ours, theirs, None


def bench_rollback(server, options):
    """One point; each round deletes some rows, then goes back.  Gives the rounds' answers."""
    server.dbsafe("point", "create", "bench", SCHEMA, "--no-drill", "--threads", options.threads, timeout=7200)
    answers = []
    for number in range(options.rounds):
        server.sql(f"DELETE FROM {SCHEMA}.{options.table} LIMIT 1000")
        answer = server.dbsafe("rollback", "--point", "bench", "--yes", "--json", "--threads", options.threads, timeout=7200)
        answers.append((answer.json, answer.maxrss_bytes))
        print(f"round {number + 1}: {answer.json['seconds']:.1f} s", file=sys.stderr, flush=True)
        server.dbsafe("verify", "bench", "--live", timeout=7200)
        for name, in server.sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbsafe\\_%'"):
            server.sql(f"DROP DATABASE `{name}`")
    return answers


def show_rollback(answers, megabytes):
    seconds = statistics.median(a["seconds"] for a, _ in answers)
    print(f"rollback: {seconds:.1f} s, {megabytes / seconds:.0f} MB/s (aim: {ROLLBACK_AIM_S} s for 5 GB); "
          f"peak {max(rss for _, rss in answers) / 2**20:.0f} MiB")
    answer = min((a for a, _ in answers), key=lambda a: abs(a["seconds"] - seconds))
    for step in answer["steps"]:
        print(f"  {'  ' * step['level'] + step['name']:<34} {step['seconds']:8.2f} s  {100 * step['seconds'] / answer['seconds']:5.1f} %")
    print(flush=True)
    return {"seconds": [a["seconds"] for a, _ in answers], "median": seconds, "steps": answer["steps"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 MB, 3 rounds: to see that it works")
    parser.add_argument("--bytes", type=generate.size, default=1 << 30, metavar="SIZE")
    parser.add_argument("--table", default="orders", choices=sorted(generate.KINDS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["dump", "restore", "s3-dump", "s3-copy", "rollback"])
    parser.add_argument("--copy-bytes", type=generate.size, default=2 << 30, metavar="SIZE", help="the archive of s3-copy")
    parser.add_argument("--buffer-pool", default="1G")
    parser.add_argument("--binlog", action="store_true", help="with a binary log")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--require", action="store_true", help="exit status 1 when an aim is missed")
    options = parser.parse_args()
    if options.quick:
        options.bytes, options.rounds = min(options.bytes, 64 << 20), min(options.rounds, 3)
        options.copy_bytes = min(options.copy_bytes, 64 << 20)
    subprocess.run(["make", "-s", "-C", str(ROOT), "MODE=release", "all"], check=True, stdout=sys.stderr)
    if not dbsafe_path().exists():
        raise SystemExit(f"{dbsafe_path()} is missing")

    print(f"{time.strftime('%Y-%m-%d')}  {os.cpu_count()} CPUs, {platform.machine()}; median of {options.rounds} rounds", flush=True)
    figures, missed = {}, []
    if options.only != "s3-copy":
        with filled_server(options) as server:
            bench_table(server, options, figures, missed)
    if options.only in (None, "s3-copy"):
        missed += s3.bench_copy(options, figures)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if missed and options.require else 0


def bench_table(server, options, figures, missed):
    """What is measured with the one large table."""
    rows, = server.sql(f"SELECT COUNT(*) FROM {SCHEMA}.{options.table}")[0]
    megabytes = options.bytes / 1e6
    print(f"MariaDB {server.value('SELECT @@version')}, table {options.table}: {rows} rows, {options.bytes >> 20} MiB of text; "
          f"{options.threads} threads\n")
    for name, bench in (("dump", bench_dump), ("restore", bench_restore)):
        if options.only not in (None, name):
            continue
        ours, theirs, sizes = bench(server, options)
        ratio = theirs.median / ours.median
        figures[name] = {"seconds": ours.seconds, "stock_seconds": theirs.seconds, "ratio": ratio, "peak_rss_bytes": ours.rss}
        print(f"{name}: {ratio:.2f} times as fast (aim: {AIM[name]})")
        print(ours.line(megabytes, memory=True))
        print(theirs.line(megabytes))
        if sizes:
            print(f"  archive {sizes[0] / 2**20:.0f} MiB against {sizes[1] / 2**20:.0f} MiB")
        print(flush=True)
        if ratio < AIM[name]:
            missed.append(name)
    if options.only in (None, "rollback"):
        figures["rollback"] = show_rollback(bench_rollback(server, options), megabytes)
        if figures["rollback"]["median"] > ROLLBACK_AIM_S * min(1, options.bytes / 5e9):
            missed.append("rollback")
    if options.only in (None, "s3-dump"):
        missed += s3.bench_dump(server, SCHEMA, options, figures)


if __name__ == "__main__":
    sys.exit(main())
