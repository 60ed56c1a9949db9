#!/bin/sh
# Writes fuzz/corpus/decode/*: the values of the connector corpus, each behind the byte that chooses topic and decimal form;
# and fuzz/corpus/capture_line/*: the same records as lines of a capture.
set -eu
cd "$(dirname "$0")"
mkdir -p corpus/decode corpus/capture_line
python3 - <<'PYTHON'
import hashlib, json, pathlib
forms = {"a": 0, "b": 2, "c": 0, "d": 1, "e": 0, "e2": 0, "e3": 2, "f2": 0, "f3": 0, "h1": 0, "l": 1}
for path in pathlib.Path("../tests/data/corpus/debezium-3.6.3").glob("*.jsonl"):
    form = forms.get(path.name.split("_")[0])
    for line in path.open() if form is not None else []:
        record = json.loads(line)
        table = record["topic"].rsplit(".", 1)[-1]
        if record["value"] is not None and table in ("Transaction", "Agreement"):
            seed = bytes([form << 1 | (table == "Agreement")]) + record["value"].encode()
            pathlib.Path("corpus/decode", hashlib.sha1(seed).hexdigest()).write_bytes(seed)
            headers = [part for header in record["headers"].items() for part in header]
            line = {"topic": "s.d.dbo.Agreement", "partition": 0, "offset": 7, "tstype": "create", "ts": 1768208400007, "broker": 1,
                    **({"headers": headers} if headers else {}), "key": record["key"], "payload": record["value"]}
            line = json.dumps(line, separators=(",", ":"), ensure_ascii=len(seed) % 2 == 0).encode()
            pathlib.Path("corpus/capture_line", hashlib.sha1(line).hexdigest()).write_bytes(line)
PYTHON
ls corpus/* | wc -l
