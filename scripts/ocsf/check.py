"""Checks events, one a line, against the schema of OCSF 1.8.0."""

import json
import re
import sys

import fastjsonschema
import ocsf_json_schema

VERSION = "1.8.0"


def readable(part):
    """Dollar signs that end nothing, written so that the checker does not take them for an end."""
    if isinstance(part, list):
        return [readable(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        name: re.sub(r"\$(?=[^)])", r"\\x24", one)
        if name == "pattern" and isinstance(one, str)
        else readable(one)
        for name, one in part.items()
    }


schema = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(VERSION))
checks = {}
good = 0
for line in sys.stdin:
    event = json.loads(line)
    uid = event["class_uid"]
    if uid not in checks:
        wanted = schema.get_class_schema(schema.lookup_class_name_from_uid(uid), event["metadata"].get("profiles", []))
        # The words that are used here mean the same in draft 7, which is what the checker knows.
        wanted["$schema"] = "http://json-schema.org/draft-07/schema#"
        checks[uid] = fastjsonschema.compile(readable(wanted))
    try:
        checks[uid](event)
    except fastjsonschema.JsonSchemaException as error:
        sys.exit(f"{uid}: {error.message}\n{line}")
    if event["type_uid"] != uid * 100 + event["activity_id"] or event["category_uid"] != uid // 1000:
        sys.exit(f"{uid}: its numbers do not belong together\n{line}")
    if event["metadata"]["version"] != VERSION:
        sys.exit(f"{uid}: it is of another version\n{line}")
    good += 1
print(good)
