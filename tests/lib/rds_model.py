"""
The Query protocol of RDS as botocore's data model describes it: form body -> dict, dict -> XML, errors. Nothing here is made to fit
dbsafe: names, types, list members and error codes come from the model in Debian's python3-botocore, what the model does not know is
refused, and every answer is read back by botocore's own parser before it is sent.
"""

import datetime
import re
import urllib.parse
from xml.sax.saxutils import escape

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.validate

VERSION = "2014-10-31"
IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*", re.I)


class RdsError(Exception):
    """What is answered instead."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class Wrong(Exception):
    """An answer that botocore's model does not allow: a bug of the double."""


def utc(when):
    return datetime.datetime.fromtimestamp(when, datetime.timezone.utc).replace(microsecond=int(when % 1 * 1000) * 1000)


class Model:
    def __init__(self):
        self.service = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("rds", "service-2", VERSION), "rds")
        self._parser = botocore.parsers.create_parser("query")
        self._validator = botocore.validate.ParamValidator()

    # ---- requests

    def request(self, body):
        """(action, parameters) of a form body; lists and structures are nested as in the model."""
        fields = urllib.parse.parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True)
        if len({k for k, _ in fields}) != len(fields):
            raise RdsError(400, "InvalidParameterValue", "a parameter is given twice")
        fields = dict(fields)
        action, version = fields.pop("Action", None), fields.pop("Version", None)
        if action not in self.service.operation_names or version != VERSION:
            raise RdsError(400, "InvalidAction", f"Could not find operation {action} for version {version}")
        shape = self.service.operation_model(action).input_shape
        parameters = self._read(shape, [(k.split("."), v) for k, v in fields.items()], action) if fields else {}
        for name in shape.required_members:
            if name not in parameters:
                raise RdsError(400, "MissingParameter", f"The request must contain the parameter {name}")
        return action, parameters

    def _read(self, shape, fields, where):
        if shape.type_name == "structure":
            found = {}
            for name, inner in self._grouped(fields, where).items():
                if name not in shape.members:
                    raise RdsError(400, "InvalidParameterCombination", f"{where}: there is no parameter {name}")
                found[name] = self._read(shape.members[name], inner, f"{where}.{name}")
            return found
        if shape.type_name == "list":
            if fields == [([], "")]:
                return []
            member = shape.member.serialization.get("name", "member")
            groups = self._grouped(fields, where)
            if list(groups) != [member]:
                raise RdsError(400, "InvalidParameterValue", f"{where}: the list's members are called {member}, not {list(groups)}")
            items = self._grouped(groups[member], where)
            if sorted(items, key=int) != [str(i + 1) for i in range(len(items))]:
                raise RdsError(400, "InvalidParameterValue", f"{where}: members are numbered {list(items)}")
            return [self._read(shape.member, items[str(i + 1)], where) for i in range(len(items))]
        (path, text), = fields
        if path:
            raise RdsError(400, "InvalidParameterValue", f"{where} has no members")
        return self._value(shape, text, where)

    @staticmethod
    def _grouped(fields, where):
        groups = {}
        for path, value in fields:
            if not path:
                raise RdsError(400, "InvalidParameterValue", f"{where} is not a single value")
            groups.setdefault(path[0], []).append((path[1:], value))
        return groups

    @staticmethod
    def _value(shape, text, where):
        try:
            if shape.type_name == "boolean":
                return {"true": True, "false": False}[text]
            if shape.type_name in ("integer", "long"):
                return int(text)
            if shape.type_name in ("double", "float"):
                return float(text)
            if shape.type_name == "timestamp":
                return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except (KeyError, ValueError):
            raise RdsError(400, "InvalidParameterValue", f"{where}: {text!r} is no {shape.type_name}") from None
        return text

    # ---- answers

    def answer(self, action, result, request_id):
        """The XML of a result; Wrong when it is not what the model says, or when botocore reads something else in it."""
        shape = self.service.operation_model(action).output_shape
        inside = ""
        if shape is not None:
            report = self._validator.validate(result, shape)
            if report.has_errors():
                raise Wrong(f"{action}: {report.generate_report()}")
            inside = self._write(shape, result, action)
            if "resultWrapper" in shape.serialization:
                inside = f"<{shape.serialization['resultWrapper']}>{inside}</{shape.serialization['resultWrapper']}>"
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{self.service.metadata["xmlNamespace"]}">{inside}'
                f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>").encode()
        read = self._parser.parse({"status_code": 200, "headers": {}, "body": body}, shape)
        read.pop("ResponseMetadata")
        if read != result:
            raise Wrong(f"{action}: botocore reads {read}\nbut meant was {result}")
        return body

    def _write(self, shape, value, where):
        if shape.type_name == "structure":
            unknown = set(value) - set(shape.members)
            if unknown:
                raise Wrong(f"{where}: the model has no {unknown}")
            return "".join(self._element(shape.members[n].serialization.get("name", n), self._write(shape.members[n], value[n], n))
                           for n in shape.members if n in value)
        if shape.type_name == "list":
            name = shape.member.serialization.get("name", "member")
            return "".join(self._element(name, self._write(shape.member, v, where)) for v in value)
        if shape.type_name == "boolean":
            return "true" if value else "false"
        if shape.type_name == "timestamp":
            return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
        return escape(str(value))

    @staticmethod
    def _element(name, inside):
        return f"<{name}>{inside}</{name}>"

    def error(self, error, request_id):
        kind = "Sender" if error.status < 500 else "Receiver"
        return (f'<?xml version="1.0" encoding="UTF-8"?>\n<ErrorResponse xmlns="{self.service.metadata["xmlNamespace"]}"><Error><Type>{kind}</Type>'
                f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>").encode()

    def fault(self, name, message):
        """The error of that name in the model ("DBInstanceNotFoundFault"), with the code and status that AWS gives it."""
        about = self.service.shape_for(name).metadata["error"]
        return RdsError(about["httpStatusCode"], about["code"], message)
