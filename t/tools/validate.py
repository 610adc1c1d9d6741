#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""validate.py SCHEMA FILE.COMMAND...: each line of the files is a JSON document that the command's definition in the schema
describes, or, if it has an exit status and no result, the definition of errors; and the schema as a whole accepts it. Prints
the number of files. validate.py SCHEMA: only checks the schema itself, and prints the commands that it defines."""
import json
import sys

import jsonschema

KIND = jsonschema.Draft202012Validator


class Wrong(Exception):
    pass


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise Wrong(f"a key comes twice: {', '.join({key for key in keys if keys.count(key) > 1})}")
    return dict(pairs)


def print_commands(schema):
    for name, definition in schema["$defs"].items():
        if name != "error" and "command" in definition.get("properties", {}):
            if {"$ref": f"#/$defs/{name}"} not in schema["anyOf"]:
                sys.exit(f"{name} is not in anyOf")
            print(name)


def check(validator, document):
    for error in validator.iter_errors(document):
        raise Wrong(f"at /{'/'.join(map(str, error.absolute_path))}: {error.message}"[:1000])


def check_line(schema, whole, command, line):
    document = json.loads(line, object_pairs_hook=no_duplicates)
    failed = "exit" in document and "result" not in document
    name = "error" if failed else command
    if name not in schema["$defs"]:
        raise Wrong(f"the schema has no definition of '{name}'")
    if document.get("command") != command and not (failed and document.get("command") is None):
        raise Wrong(f"command is {document.get('command')}, not {command}")
    check(KIND({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}), document)
    check(whole, document)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file, object_pairs_hook=no_duplicates)
    KIND.check_schema(schema)
    whole, bad = KIND(schema), 0
    if len(sys.argv) == 2:
        print_commands(schema)
        return
    for path in sys.argv[2:]:
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
            if not lines:
                raise Wrong("nothing was printed")
            for line in lines:
                check_line(schema, whole, path.rsplit(".", 1)[1], line)
        except (Wrong, ValueError) as error:
            print(f"wrong: {path}: {error}")
            bad += 1
    print(f"{len(sys.argv) - 2 - bad} documents")
    sys.exit(bad != 0)


main()
