"""
The parts of bench.py with S3, on a private RADOS gateway: a dump there against a dump to a folder, and the copy of a ready archive
against Debian's aws-cli and rclone with their own defaults. Each aim is a ratio that is not to be exceeded. The gateway keeps its objects
in memory: once the archive's size and a bit.
"""

import os
import shutil
import sys

from lib import Server, expect, run
from lib.process import client_env
from lib.radosgw import RadosGateway
from measured import Measured

DUMP = 1.10        # seconds, of those of a dump to a folder
COPY = 1.00        # seconds, of those of either
CPU_AWS = 1 / 3    # processor time
CPU_RCLONE = 1.00
# a name as stores give it: a copy keeps it
ARCHIVE = "20260101T000000Z-copied-0123456789ab.dbsafe.tar"


def report(name, aims, ours, others, megabytes):
    """aims: [(what, ratio, at most)]; prints, and gives the names of those that were missed."""
    print(f"{name}: " + "; ".join(f"{ratio:.2f} times {what} (aim: {most:.2f} at most)" for what, ratio, most in aims))
    for one in (ours, *others):
        print(one.line(megabytes, memory=True, cpu=True))
    print(flush=True)
    return [f"{name}: {what}" for what, ratio, most in aims if ratio > most]


def forget(gateway, bucket):
    """Removes everything, and waits until its room is free again."""
    gateway.empty(bucket)
    gateway.admin("gc", "process", "--include-all")


def bench_dump(server, schema, options, figures):
    ours, folder = Measured("dbsafe dump to S3"), Measured("dbsafe dump to a folder")
    with RadosGateway() as gateway:
        bucket = gateway.bucket()
        to_s3 = {**gateway.env(), "DBSAFE_STORE": f"s3://{bucket}/bench"}
        for number in range(options.rounds + 1):
            a = server.dbsafe("dump", schema, "--threads", options.threads, env=to_s3, timeout=7200)
            b = server.dbsafe("dump", schema, "--threads", options.threads, timeout=7200)
            if number > 0:  # the first round warms the caches
                ours.add(a)
                folder.add(b)
                print(f"round {number}: {a.seconds:.2f} s against {b.seconds:.2f} s", file=sys.stderr, flush=True)
            else:
                sizes = set(gateway.objects(bucket).values())
                print(f"archive {max(sizes) / 2**20:.0f} MiB", file=sys.stderr, flush=True)
            forget(gateway, bucket)
            shutil.rmtree(server.store)
    ratio = ours.median / folder.median
    figures["s3-dump"] = {"s3": ours.figures(), "folder": folder.figures(), "ratio": ratio}
    return report("s3-dump", [("the folder's time", ratio, DUMP)], ours, [folder], options.bytes / 1e6)


def make_archive(server, size):
    """An archive of that size, of rows that cannot be compressed."""
    print(f"making an archive of {size >> 20} MiB ...", file=sys.stderr, flush=True)
    server.sql("CREATE DATABASE copied")
    server.sql("CREATE TABLE copied.noise (id INT PRIMARY KEY, v VARBINARY(4096)) "
               "SELECT seq id, CONCAT(RANDOM_BYTES(1024), RANDOM_BYTES(1024), RANDOM_BYTES(1024), RANDOM_BYTES(1000)) v "
               f"FROM seq_1_to_{size // 4072}", schema="mysql")
    path = server.folder / ARCHIVE
    server.dbsafe("dump", "copied", "-o", path, timeout=7200)
    server.stop()
    shutil.rmtree(server.data)  # only the archive is needed
    return path


def with_rclone(gateway, path, to, home):
    remote = {"TYPE": "s3", "PROVIDER": "Ceph", "ENV_AUTH": "true", "ENDPOINT": gateway.endpoint, "REGION": gateway.region}
    env = {**gateway.env(), **{f"RCLONE_CONFIG_GATEWAY_{name}": value for name, value in remote.items()}}
    return expect(run(["/usr/bin/rclone", "--config", "", "copyto", path, f"gateway:{to}"], env=client_env(home, env), timeout=7200), 0)


def bench_copy(options, figures):
    for program in ("/usr/bin/aws", "/usr/bin/rclone"):
        if not os.access(program, os.X_OK):
            raise SystemExit(f"s3-copy compares with {program}, which is missing: apt-get install awscli rclone")
    ours, aws, rclone = Measured("dbsafe copy"), Measured("aws s3 cp"), Measured("rclone copyto")
    with Server(log_file_size="256M", buffer_pool="256M") as server, RadosGateway() as gateway:
        path, bucket = make_archive(server, options.copy_bytes), gateway.bucket()
        size = path.stat().st_size
        programs = (
            (ours, lambda: server.dbsafe("copy", path, "--to", f"s3://{bucket}/ours", env=gateway.env(), timeout=7200)),
            (aws, lambda: gateway.aws("s3", "cp", "--quiet", path, f"s3://{bucket}/aws/{ARCHIVE}", home=server.home, timeout=7200)),
            (rclone, lambda: with_rclone(gateway, path, f"{bucket}/rclone/{ARCHIVE}", server.home)))
        for number in range(options.rounds + 1):
            for measured, copy in programs:
                result = copy()
                if set(gateway.objects(bucket).values()) != {size}:
                    raise SystemExit(f"{measured.name}: it is not there whole\n{result}")
                forget(gateway, bucket)
                if number > 0:
                    measured.add(result)
            if number > 0:
                print(f"round {number}: " + ", ".join(f"{m.name} {m.seconds[-1]:.2f} s (CPU {m.cpu_seconds[-1]:.2f})" for m, _ in programs),
                      file=sys.stderr, flush=True)
    aims = [("the time of aws", ours.median / aws.median, COPY), ("the time of rclone", ours.median / rclone.median, COPY),
            ("the CPU time of aws", ours.cpu / aws.cpu, CPU_AWS), ("the CPU time of rclone", ours.cpu / rclone.cpu, CPU_RCLONE)]
    figures["s3-copy"] = {**{m.name: m.figures() for m, _ in programs}, "ratios": {what: ratio for what, ratio, _ in aims}}
    return report("s3-copy", aims, ours, [aws, rclone], size / 1e6)
