"""
The faults the stub can inject, by name, and the plan that says at which request. A fault has a place in the life of a request:

  headers   the headers were read, the body was not
  body      half of the body was read
  request   the whole request was read, nothing was done
  done      it was done, nothing was answered
  answer    the answer is being sent
"""

import dataclasses
import threading


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    place: str
    # what the client sees: ("reset",), ("close",), ("stall",), ("error", status, code, headers), ("answer", how)
    effect: tuple
    # whether a client that goes on trying gets through, when it is hit once; else it may give up with one of the statuses
    passes: bool = True
    exits: tuple = (5,)
    # operations where it makes sense; None: all
    only: tuple = None
    # whether the request was carried out although the client does not know
    carried_out: bool = False

    def applies(self, op):
        return self.only is None or op in self.only


def _error(name, status, code, headers=(), **options):
    return Fault(name, "request", ("error", status, code, dict(headers)), **options)


WRITES = ("PutObject", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload")
UPLOADS = ("PutObject", "UploadPart")
READS = ("GetObject",)
COMPLETE = ("CompleteMultipartUpload",)

FAULTS = {f.name: f for f in [
    # the connection
    Fault("reset before the body", "headers", ("reset",)),
    Fault("reset in the body", "body", ("reset",), only=UPLOADS),
    Fault("reset after the body", "request", ("reset",)),
    Fault("closed after the request", "request", ("close",)),
    Fault("answer lost", "done", ("reset",), carried_out=True),
    Fault("answer lost, closed", "done", ("close",), carried_out=True),
    # as a server of TLS answers to someone who does not speak that
    Fault("no HTTP", "request", ("answer", "garbage"), passes=False, exits=(3, 5)),
    Fault("stalled before the body", "headers", ("stall",)),
    Fault("stalled", "request", ("stall",)),
    Fault("stalled in the answer", "answer", ("answer", "stall"), carried_out=True),
    Fault("answer cut short", "answer", ("answer", "truncate"), carried_out=True),
    Fault("answer reset", "answer", ("answer", "reset"), carried_out=True),
    # errors that pass
    _error("500", 500, "InternalError"),
    _error("502 without a body", 502, None),
    # a gateway that gave up on a server that did not
    Fault("502, but done", "done", ("error", 502, None, {}), only=WRITES, carried_out=True),
    Fault("500, but done", "done", ("error", 500, "InternalError", {}), only=WRITES, carried_out=True),
    _error("503 SlowDown", 503, "SlowDown"),
    _error("503 SlowDown, Retry-After", 503, "SlowDown", {"Retry-After": "1"}),
    _error("503 in HTML", 503, "<html>"),
    _error("504", 504, "GatewayTimeout"),
    _error("429", 429, "TooManyRequests"),
    _error("400 RequestTimeout", 400, "RequestTimeout"),
    _error("400 BadDigest", 400, "BadDigest", only=UPLOADS),
    _error("400 ExpiredToken", 400, "ExpiredToken", passes=False, exits=(3, 5)),  # passes only where keys can be had anew
    Fault("clock skewed", "headers", ("skew",)),
    # errors that stay, wherever they come: no retry may hide them
    _error("403 AccessDenied", 403, "AccessDenied", passes=False, exits=(3, 5)),
    _error("400 InvalidRequest", 400, "InvalidRequest", passes=False),
    _error("404 NoSuchUpload", 404, "NoSuchUpload", only=("UploadPart",), passes=False),
    # wrong answers
    Fault("wrong ETag", "answer", ("answer", "wrong etag"), only=("UploadPart",), passes=False, carried_out=True),
    Fault("no ETag", "answer", ("answer", "no etag"), only=("UploadPart",), carried_out=True),
    Fault("200 with an error", "request", ("answer", "error in 200"), only=COMPLETE),
    Fault("200 with an error after white space", "request", ("answer", "late error in 200"), only=COMPLETE),
    Fault("200 with an error, but done", "done", ("answer", "error in 200"), only=COMPLETE, carried_out=True),
    Fault("200 after white space", "answer", ("answer", "slow 200"), only=COMPLETE, carried_out=True),
    Fault("200 without a body", "done", ("answer", "empty 200"), only=("CreateMultipartUpload", *COMPLETE), carried_out=True),
    Fault("no Content-Length", "answer", ("answer", "no length"), only=("HeadObject",), passes=False),
    Fault("empty ETag", "answer", ("answer", "empty etag"), only=COMPLETE, carried_out=True),
    Fault("the whole object instead of the range", "answer", ("answer", "whole"), only=READS, passes=False, exits=(5, 8)),
    Fault("another range", "answer", ("answer", "other range"), only=READS, passes=False, exits=(5, 8)),
    Fault("another object's ETag", "answer", ("answer", "wrong etag"), only=READS, passes=False, exits=(5, 8)),
    Fault("flipped bits", "answer", ("answer", "flipped"), only=READS, passes=False, exits=(8,)),
    Fault("409 ConditionalRequestConflict", "request", ("error", 409, "ConditionalRequestConflict", {}), only=COMPLETE),
]}


@dataclasses.dataclass
class Planned:
    fault: Fault
    op: tuple      # operations that count, or None for all
    nth: int       # the first request that is hit, from 1 among those that count
    times: float   # how many are hit from there on
    where: object  # a further condition on the request, or None
    seen: int = 0
    hit: int = 0


class Hold:
    """A request that waits in the server: arrived() until it is there, release() lets it go on."""

    def __init__(self):
        self._arrived, self._released = threading.Event(), threading.Event()

    def arrive(self):
        self._arrived.set()
        self._released.wait()

    def arrived(self):
        return self._arrived.is_set()

    def release(self):
        self._released.set()


class Plan:
    """Thread-safe list of what shall go wrong."""

    def __init__(self):
        self._lock = threading.Lock()
        self._planned, self._holds = [], []

    def inject(self, name, op=None, nth=1, times=1, where=None):
        """Gives the Planned, whose .hit says how often it came about."""
        fault = FAULTS[name] if isinstance(name, str) else name
        if op is None:
            op = fault.only
        planned = Planned(fault, (op,) if isinstance(op, str) else op, nth, times, where)
        with self._lock:
            self._planned.append(planned)
        return planned

    def hold(self, op=None, nth=1, after=False):
        """The nth such request waits, before it is carried out, or after that and before its answer."""
        hold = Hold()
        with self._lock:
            self._holds.append((hold, Planned(None, (op,) if isinstance(op, str) else op, nth, 1, None), after))
        return hold

    def clear(self):
        with self._lock:
            self._planned = []
            holds, self._holds = self._holds, []
        for hold, _, _ in holds:
            hold.release()

    @staticmethod
    def _counts(planned, request):
        if planned.op is not None and request.op not in planned.op:
            return False
        if planned.where is not None and not planned.where(request):
            return False
        planned.seen += 1
        if not planned.nth <= planned.seen < planned.nth + planned.times:
            return False
        planned.hit += 1
        return True

    def take(self, request):
        """The fault for this request, and the hold and its place, or None."""
        with self._lock:
            faults = [p.fault for p in self._planned if self._counts(p, request)]
            holds = [(hold, after) for hold, p, after in self._holds if self._counts(p, request)]
        return (faults or [None])[0], (holds or [(None, None)])[0]
