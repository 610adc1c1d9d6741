#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""validate.py SCHEMA COMMAND <OUTPUT: each line is a JSON document that the command's definition in the schema describes, or,
if it has an exit status and no result, the definition of errors; and the schema as a whole accepts it. Prints the number of
documents. validate.py SCHEMA: only checks the schema itself, and prints the commands that it defines."""
import json
import sys

import jsonschema


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    twice = {key for key in keys if keys.count(key) > 1} if len(keys) != len(set(keys)) else None
    if twice:
        sys.exit(f"a key comes twice: {', '.join(twice)}")
    return dict(pairs)


def check(validator, document, what):
    for error in validator.iter_errors(document):
        where = "/".join(map(str, error.absolute_path))
        sys.exit(f"{what}: at /{where}: {error.message}"[:2000])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file, object_pairs_hook=no_duplicates)
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    if len(sys.argv) == 2:
        for name, definition in schema["$defs"].items():
            if "command" in definition.get("properties", {}) and name != "error":
                if {"$ref": f"#/$defs/{name}"} not in schema["anyOf"]:
                    sys.exit(f"{name} is not in anyOf")
                print(name)
        return
    count = 0
    for line in sys.stdin:
        document = json.loads(line, object_pairs_hook=no_duplicates)
        failed = "exit" in document and "result" not in document
        name = "error" if failed else sys.argv[2]
        if name not in schema["$defs"]:
            sys.exit(f"the schema has no definition of '{name}'")
        if document.get("command") != sys.argv[2] and not (failed and document.get("command") is None):
            sys.exit(f"command is {document.get('command')}")
        check(kind({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}), document, name)
        check(kind(schema), document, "as a whole")
        count += 1
    print(count)


main()
