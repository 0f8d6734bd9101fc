"""Holds an event trace log of procmon against what two readers make of it.

    compare.py RUN.etl RUN.json

RUN.json is the JSON log of the same run of ntsim. Each event must be read with the
same values, and agree with the process event and the lines of the log that it
belongs to. The readers are the packages dissect.etl and etl-parser of PyPI. Where
one of them has a gap, the comment on the code that fills it here begins with GAP.
"""

import io
import json
import re
import struct
import sys
from uuid import UUID

import etl.parsers.tracelogging as etl_parser_tracelogging
from dissect.etl import ETL
from dissect.etl.c_etl import c_etl
from dissect.etl.headers.event import EventHeader
from dissect.util.sid import read_sid
from etl.etl import IEtlFileObserver, build_from_stream

PROVIDER = "{95487dfb-e18a-5672-3d3d-e7b3a4901f38}"
PROVIDER_NAME = "Procmon-Driver"

SCHEMA = 11
TRAITS = 12

# The flags of ProcessCreate, whose other bits say what could not be had.
REPARENTED = 0x1
NAME_PARTIAL = 0x2
NO_NAME = 0x4
NO_COMMAND_LINE = 0x8
WOW64 = 0x10
UNKNOWN = 0x20 | 0x40 | 0x80 | 0x100
CONTINUES = 0x200 | 0x400


# The fields of each event, in their order.
FIELDS = {
    "ProcessCreate": [
        "ProcessId",
        "ParentProcessId",
        "CreatingProcessId",
        "CreatingThreadId",
        "CreateTime",
        "StartKey",
        "SessionId",
        "LogonId",
        "IntegrityLevel",
        "CreationStatus",
        "Flags",
        "User",
        "ImageName",
        "CommandLine",
    ],
    "ProcessExit": ["ProcessId", "CreateTime", "StartKey", "LifetimeMs", "ExitStatus"],
    "ProcessText": ["ProcessId", "CreateTime", "Field", "Offset", "Text"],
}


class Mismatch(Exception):
    """What is wrong, in one line."""


# ---- What both readers need: the types of TraceLogging that they lack. ----


def read_field(stream, tag):
    """Reads a field of a type that etl-parser lacks; None for the others."""
    kind = tag & 0x1F
    if kind == 17:  # FILETIME
        return struct.unpack("<q", stream.read(8))[0]
    if kind == 19:  # SID
        head = stream.read(8)
        return read_sid(head + stream.read(4 * head[1]))
    if kind == 21:  # HEXINT64
        return struct.unpack("<Q", stream.read(8))[0]
    if kind == 22:  # COUNTEDSTRING
        (length,) = struct.unpack("<H", stream.read(2))
        return stream.read(length).decode("utf-16le", "replace")
    return None


# GAP: etl-parser raises at HexInt64, whose place in its table HexInt32 has twice,
# and knows neither FILETIME nor SID nor counted UTF-16.
etl_parser_read_field = etl_parser_tracelogging.read_field


def read_any_field(stream, tag):
    value = read_field(stream, tag)
    return etl_parser_read_field(stream, tag) if value is None else value


etl_parser_tracelogging.read_field = read_any_field


# ---- dissect.etl ----


def dissect_items(header):
    """The extended items of an event, and its payload."""
    rest = bytes(header.payload)
    items = {}
    # GAP: dissect.etl looks for items in every event, and beyond the last one, in
    # the payload. It ignores the flag that says whether there are any, and the bit
    # that says whether another follows.
    has_next = header.header.Flags & 1
    while has_next:
        item = c_etl.EventHeaderExtendedDataItemHeader(rest)
        items[item.ExtType] = bytes(item.Data)
        has_next = item.Reserved1 & 1
        rest = rest[item.Size :]
    return items, rest


def dissect_fields(schema, payload):
    """GAP: dissect.etl gives the schema of a TraceLogging event, and does not decode
    it."""
    schema, payload = io.BytesIO(schema), io.BytesIO(payload)
    (size,) = struct.unpack("<H", schema.read(2))
    if size != len(schema.getbuffer()) or schema.read(1) != b"\0":
        raise Mismatch(f"a schema of {len(schema.getbuffer())} bytes says {size}")
    name = read_name(schema)
    fields = {}
    while schema.tell() < size:
        field = read_name(schema)
        tag = schema.read(1)[0]
        if tag & 0x80:
            schema.read(1)
        fields[field] = (
            read_number(payload, tag) if tag & 0x1F in NUMBERS else read_field(payload, tag)
        )
    return name, fields


NUMBERS = {
    3: "<b",
    4: "<B",
    5: "<h",
    6: "<H",
    7: "<i",
    8: "<I",
    9: "<q",
    10: "<Q",
    20: "<I",
}


def read_number(payload, tag):
    layout = NUMBERS[tag & 0x1F]
    return struct.unpack(layout, payload.read(struct.calcsize(layout)))[0]


def read_name(schema):
    name = bytearray()
    while (byte := schema.read(1)) != b"\0":
        name += byte
    return name.decode()


def read_with_dissect(path):
    with open(path, "rb") as file:
        for record in ETL(file):
            header = record.header
            if not isinstance(header, EventHeader):
                continue
            items, payload = dissect_items(header)
            name, fields = dissect_fields(items[SCHEMA], payload)
            raw = header.header
            yield {
                # GAP: dissect.etl shows the provider's identifier with its bytes in
                # another order, and rounds times, which it keeps as floating-point
                # numbers.
                "provider_id": f"{{{UUID(bytes_le=raw.ProviderId)}}}",
                "system_time": raw.TimeDelta,
                "provider": items[TRAITS][2:].split(b"\0")[0].decode(),
                "id": header.descriptor.id,
                "version": header.descriptor.version,
                "level": header.descriptor.level,
                "keyword": header.descriptor.keywords,
                "process_id": header.process_id,
                "thread_id": header.thread_id,
                "event": name,
                "fields": fields,
            }


# ---- etl-parser ----


class Observer(IEtlFileObserver):
    """Collects events; anything else in the file is wrong."""

    def __init__(self):
        self.events = []

    def on_event_record(self, event):
        header = event.source.event_header
        descriptor = header.event_descriptor
        decoded = event.parse_tracelogging()
        traits = [item for item in event.source.extended_data if item.ext_type == TRAITS]
        guid = header.provider_id.inner
        fields = (guid.data1, guid.data2, guid.data3)
        raw = struct.pack("<IHH", *fields) + bytes(guid.data4)
        self.events.append(
            {
                "provider_id": f"{{{UUID(bytes_le=raw)}}}",
                "system_time": event.get_timestamp(),
                "provider": traits[0].data_item[2:].split(b"\0")[0].decode(),
                "id": descriptor.Id,
                "version": descriptor.Version,
                "level": descriptor.Level,
                "keyword": descriptor.Keyword,
                "process_id": event.get_process_id(),
                "thread_id": event.get_thread_id(),
                "event": decoded.get_name(),
                "fields": dict(decoded),
            }
        )

    def unexpected(self, record):
        raise Mismatch(f"{type(record).__name__} among the events")

    on_trace_record = on_perfinfo_trace = on_system_trace = on_win_trace = unexpected


def read_with_etl_parser(path):
    observer = Observer()
    with open(path, "rb") as file:
        build_from_stream(file.read()).parse(observer)
    return observer.events


# ---- What the events must say. ----


def same(what, read, expected):
    if read != expected:
        raise Mismatch(f"{what}: {read!r} instead of {expected!r}")


def same_as_decoded(events, objects):
    """Each event has the values that ntsim decoded."""
    decoded = [object for object in objects if object["type"] == "event"]
    same("the number of events", len(events), len(decoded))
    for number, (event, expected) in enumerate(zip(events, decoded), 1):
        for key in sorted(event.keys() - {"fields"}):
            same(f"event {number}: {key}", event[key], expected[key])
        names = sorted(event["fields"])
        same(f"event {number}: the names of its fields", names, sorted(expected["fields"]))
        for name, value in event["fields"].items():
            same(f"event {number}: {name}", value, expected["fields"][name])


def brackets(line):
    """The parts of a line of the log, by name."""
    return dict(re.findall(r"\[(\w+) = ([^]]*)\]", line))


def lines_by_process(objects):
    """The lines of the log, by the process that they are about."""
    lines = {}
    for text in (object["text"] for object in objects if object["type"] == "line"):
        if found := re.match(r"\[(\w+)(?: (0x[0-9a-f]+))?(?: \d+/\d+)?\]", text):
            kind, process = found.groups()
            process = process or brackets(text).get("PID", "").split(",")[0]
            if process:
                lines.setdefault((kind, int(process, 16)), []).append(text)
    return lines


class Processes:
    """The events of each process: one create and one exit."""

    def __init__(self, events):
        self.creates, self.exits, self.texts = {}, {}, {}
        for event in events:
            fields = event["fields"]
            process = fields["ProcessId"]
            kind = (event["event"], event["id"], event["version"])
            if kind == ("ProcessText", 3, 0):
                self.texts.setdefault(process, []).append(fields)
                continue
            known = {
                ("ProcessCreate", 1, 0): self.creates,
                ("ProcessExit", 2, 0): self.exits,
            }
            if kind not in known:
                raise Mismatch(f"an event {kind}")
            if process in known[kind]:
                raise Mismatch(f"a second {event['event']} of process {process:#x}")
            known[kind][process] = event

    def text(self, process, field):
        """What follows of a text in other events, in order."""
        parts = [part for part in self.texts.get(process, []) if part["Field"] == field]
        return [(part["Offset"], part["Text"]) for part in parts]


def same_as_process_events(events, objects):
    """Each process event of the run has its event, with the same values."""
    lines = lines_by_process(objects)
    processes = Processes(events)
    created = [object for object in objects if object["type"] == "create"]
    exited = [object for object in objects if object["type"] == "exit"]
    if not created or not exited:
        raise Mismatch("no process was created, or none exited")
    same(
        "created processes",
        sorted(processes.creates),
        sorted(create["process_id"] for create in created),
    )
    same(
        "exited processes",
        sorted(processes.exits),
        sorted(exit["process_id"] for exit in exited),
    )
    for event in events:
        same(
            "the provider",
            (event["provider_id"], event["provider"]),
            (PROVIDER, PROVIDER_NAME),
        )
        same("level and keyword", (event["level"], event["keyword"]), (4, 1))
        same("the fields", list(event["fields"]), FIELDS[event["event"]])
    for create in created:
        same_create(processes, create, lines)
    for exit in exited:
        same_exit(processes, exit, lines)


def same_create(processes, create, lines):
    process = create["process_id"]
    event = processes.creates[process]
    fields = event["fields"]
    creator = create["creator"]
    what = f"the creation of {process:#x}"
    expected = {
        "ParentProcessId": create["parent_process_id"],
        "CreatingProcessId": creator["process"],
        "CreatingThreadId": creator["thread"],
        "StartKey": create["start_key"],
        "SessionId": create["session_id"],
        "LogonId": create["logon_id"],
        "IntegrityLevel": create["integrity"],
        "CreationStatus": 0,
        "User": create["user"],
    }
    for name, value in expected.items():
        same(f"{what}: {name}", fields[name], value)
    # It is written in the thread that creates the process.
    thread = (event["process_id"], event["thread_id"])
    same(f"{what}: its thread", thread, (creator["process"], creator["thread"]))
    flags = fields["Flags"]
    same(f"{what}: what could not be had", flags & UNKNOWN, 0)
    same(
        f"{what}: reparented",
        bool(flags & REPARENTED),
        creator["process"] != create["parent_process_id"],
    )
    same(f"{what}: WOW64", bool(flags & WOW64), create["is_32_bit"])
    for name, absent, field, number in [
        ("ImageName", NO_NAME, "image_file_name", 1),
        ("CommandLine", NO_COMMAND_LINE, "command_line", 2),
    ]:
        text = fields[name]
        for offset, more in processes.text(process, number):
            same(f"{what}: where {name} goes on", offset, len(text.encode("utf-16le")) // 2)
            text += more
        same(f"{what}: {name}", text, create[field] or "")
        same(f"{what}: no {name}", bool(flags & absent), create[field] is None)
    same_create_lines(what, process, fields, lines)


def same_create_lines(what, process, fields, lines):
    [line] = lines["Create", process]
    shown = brackets(line)
    same(f"{what}: PPID", int(shown["PPID"], 16), fields["ParentProcessId"])
    same(f"{what}: CurrentPID", int(shown["CurrentPID"], 16), fields["CreatingProcessId"])
    [line] = lines["Detail", process]
    shown = brackets(line)
    creator = f"{fields['CreatingProcessId']:#x}.{fields['CreatingThreadId']:#x}"
    same(f"{what}: Creator", shown["Creator"], creator)
    same(f"{what}: Session", shown["Session"], str(fields["SessionId"]))
    same(f"{what}: User", shown["User"], fields["User"])
    same(f"{what}: Logon", int(shown["Logon"], 16), fields["LogonId"])
    same(f"{what}: StartKey", int(shown["StartKey"], 16), fields["StartKey"])
    same(f"{what}: Reparented", "[Reparented]" in line, bool(fields["Flags"] & REPARENTED))
    same(
        f"{what}: partial",
        "[Name is partial]" in line,
        bool(fields["Flags"] & NAME_PARTIAL),
    )
    same(f"{what}: bits", " 32bit " in line, bool(fields["Flags"] & WOW64))


def same_exit(processes, exit, lines):
    process = exit["process_id"]
    event = processes.exits[process]
    fields = event["fields"]
    what = f"the exit of {process:#x}"
    same(f"{what}: ExitStatus", fields["ExitStatus"], exit["exit_status"])
    same(f"{what}: its process", event["process_id"], process)
    create = processes.creates.get(process)
    if create is not None:
        for name in ["CreateTime", "StartKey"]:
            same(f"{what}: {name}", fields[name], create["fields"][name])
    [line] = lines["Destroy", process]
    shown = brackets(line)
    same(f"{what}: ExitStatus", int(shown["ExitStatus"], 16), fields["ExitStatus"])
    same(f"{what}: Lifetime", shown["Lifetime"], f"{fields['LifetimeMs']} ms")
    same(f"{what}: StartKey", int(shown["StartKey"], 16), fields["StartKey"])


def main():
    trace, log = sys.argv[1:]
    with open(log, encoding="utf-8") as file:
        objects = [json.loads(line) for line in file]
    failed = False
    for name, read in [
        ("dissect.etl", read_with_dissect),
        ("etl-parser", read_with_etl_parser),
    ]:
        try:
            events = list(read(trace))
            same_as_decoded(events, objects)
            same_as_process_events(events, objects)
            print(f"{name}: {len(events)} events, each as in the log")
        except Mismatch as mismatch:
            failed = True
            print(f"{name}: {mismatch}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
