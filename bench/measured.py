"""The rounds of one program: seconds, processor time, peak memory."""

import statistics


class Measured:
    def __init__(self, name):
        self.name, self.seconds, self.cpu_seconds, self.rss = name, [], [], 0

    def add(self, result):
        self.seconds.append(result.seconds)
        self.cpu_seconds.append(result.cpu_seconds)
        self.rss = max(self.rss, result.maxrss_bytes)

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def cpu(self):
        return statistics.median(self.cpu_seconds)

    def figures(self):
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "peak_rss_bytes": self.rss}

    def line(self, megabytes, memory=False, cpu=False):
        return (f"  {self.name:<34} {self.median:8.2f} s  ({min(self.seconds):.2f} to {max(self.seconds):.2f})"
                f" {megabytes / self.median:7.0f} MB/s" + (f"   CPU {self.cpu:.2f} s" if cpu else "") +
                (f"   peak {self.rss / 2**20:.0f} MiB" if memory else ""))
