"""What the RDS double can do wrong with a request; the plan that says at which one is that of the S3 stub."""

from .s3_faults import Fault, Plan


def _error(name, status, code, message):
    return Fault(name, "request", ("error", status, code, message))


RDS_FAULTS = {f.name: f for f in [
    _error("throttled", 400, "Throttling", "Rate exceeded"),
    _error("throttled, newer", 400, "ThrottlingException", "Rate exceeded"),
    _error("500", 500, "InternalFailure", "An internal error has occurred. Please retry your query at a later time."),
    _error("503", 503, "ServiceUnavailable", "Service unavailable"),
    _error("denied", 403, "AccessDenied", "User: arn:aws:iam::123456789012:user/example is not authorized to perform this action"),
    Fault("answer lost", "done", ("reset",), carried_out=True),
    Fault("request lost", "headers", ("reset",)),
    Fault("answer cut short", "answer", ("cut",), carried_out=True),
    Fault("no XML", "answer", ("text",), carried_out=True),
]}


class RdsPlan(Plan):
    """plan.inject("answer lost", op="CreateDBSnapshot"); see s3_faults.Plan."""

    def inject(self, name, op=None, nth=1, times=1, where=None):
        return super().inject(RDS_FAULTS[name] if isinstance(name, str) else name, op, nth, times, where)
