"""
What lets things in the RDS double change while nobody asks: walks through states, made by one thread that also starts the servers (they
die with it, so it lives as long as the double).
"""

import heapq
import itertools
import threading
import time
import traceback


class Engine(threading.Thread):
    """A walk is a generator that yields how many seconds to wait before it goes on. Walks take turns; a failed one is in .problems."""

    def __init__(self):
        super().__init__(daemon=True)
        self.problems = []
        self._condition = threading.Condition()
        self._waiting, self._numbers, self._ended = [], itertools.count(), False
        self._under_way = 0

    def walk(self, generator):
        with self._condition:
            self._under_way += 1
        self._push(0, generator)

    def idle(self):
        with self._condition:
            return self._under_way == 0

    def _over(self):
        with self._condition:
            self._under_way -= 1

    def _push(self, seconds, generator):
        with self._condition:
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), generator))
            self._condition.notify()

    def _next(self):
        with self._condition:
            while not self._ended:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._condition.wait(left)
        return None

    def run(self):
        while (generator := self._next()) is not None:
            try:
                self._push(next(generator), generator)
            except StopIteration:
                self._over()
            except Exception:  # whatever it is: a test that asks for .problems shall see it
                self.problems.append(traceback.format_exc())
                self._over()

    def end(self):
        with self._condition:
            self._ended = True
            self._condition.notify()
        self.join()


class States:
    """How long things stay in a state: pace seconds, or what delays says of it; held ones stay until they are released."""

    def __init__(self):
        self.pace, self.delays = 0.03, {}
        self._held = set()

    def hold(self, status):
        """Nothing leaves this status until release(status)."""
        self._held.add(status)

    def release(self, status):
        self._held.discard(status)

    def release_all(self):
        self._held.clear()

    def stay(self, thing, status=None, share=1.0):
        """Part of a walk: the thing enters the status (or is in it), and its time there, or a share of it, passes."""
        if status:
            thing.status = status
        yield self.delays.get(thing.status, self.pace) * share
        while thing.status in self._held:
            yield 0.005

    def pause(self, what):
        """The same for what has no status of its own."""
        yield self.delays.get(what, self.pace)
        while what in self._held:
            yield 0.005
