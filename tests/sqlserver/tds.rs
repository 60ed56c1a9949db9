//! TDS as a server speaks it: what it is told, and what it answers. By [MS-TDS], as far as a look-up needs it.

use chrono::{Datelike, NaiveDateTime, Timelike};
use tidewaiter::io::sentinel::{ResultSet, Type, Value};

/// A call of `sp_executesql`: its statement, and its parameters' names and values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) statement: String,
    pub(crate) parameters: Vec<(String, Option<String>)>,
}

/// Of a packet: type, whether it is the last, length (2), …
pub(crate) const HEADER: usize = 8;

pub(crate) const PRELOGIN: u8 = 0x12;
pub(crate) const LOGIN: u8 = 0x10;
pub(crate) const BATCH: u8 = 0x01;
pub(crate) const CALL: u8 = 0x03;
const RESULT: u8 = 0x04;

/// Tokens in packets of the size that the login agreed upon.
pub(crate) fn packets(tokens: &[u8]) -> Vec<u8> {
    let mut packets = Vec::new();
    let mut chunks = tokens.chunks(4096 - HEADER).enumerate().peekable();
    while let Some((at, chunk)) = chunks.next() {
        let length = u16::try_from(chunk.len() + HEADER).unwrap().to_be_bytes();
        let number = u8::try_from((at + 1) % 256).unwrap();
        packets.extend([RESULT, u8::from(chunks.peek().is_none()), length[0], length[1], 0, 0, number, 0]);
        packets.extend(chunk);
    }
    packets
}

/// The answer to a PRELOGIN: version 16, and whether it encrypts (on, or not supported).
pub(crate) fn prelogin(encrypts: bool) -> Vec<u8> {
    let options = [0x00, 0, 11, 0, 6, 0x01, 0, 17, 0, 1, 0xFF];
    let version = [16, 0, 0, 0, 0, 0];
    packets(&[&options[..], &version, &[if encrypts { 1 } else { 2 }]].concat())
}

/// A token whose length comes before its body.
fn token(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    put16(out, u16::try_from(body.len()).unwrap());
    out.extend(body);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// LOGINACK: T-SQL, TDS 7.4, version 16.
pub(crate) fn welcome() -> Vec<u8> {
    let name = "Microsoft SQL Server";
    let mut body = vec![1, 0x74, 0, 0, 4, u8::try_from(name.len()).unwrap()];
    body.extend(utf16(name));
    body.extend([16, 0, 0, 0]);
    let mut out = Vec::new();
    token(0xAD, &body, &mut out);
    done(0, &mut out);
    out
}

/// LOGINACK, then ENVCHANGE: the client is to log in elsewhere.
pub(crate) fn route(host: &str, port: u16) -> Vec<u8> {
    let mut value = vec![0];
    put16(&mut value, port);
    put16(&mut value, u16::try_from(host.encode_utf16().count()).unwrap());
    value.extend(utf16(host));
    let mut body = vec![20];
    put16(&mut body, u16::try_from(value.len()).unwrap());
    body.extend(value);
    put16(&mut body, 0);
    let mut out = welcome();
    let done_again = out.split_off(out.len() - 13);
    token(0xE3, &body, &mut out);
    out.extend(done_again);
    out
}

/// ERROR, and the end of the batch.
pub(crate) fn error(number: u32, class: u8, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    failure(number, class, message, 1, &mut out);
    done(0, &mut out);
    out
}

/// ERROR, and the end of its statement.
pub(crate) fn failure(number: u32, class: u8, message: &str, line: u32, out: &mut Vec<u8>) {
    const FAILED: u16 = 2;
    told(0xAA, (number, class), message, line, out);
    done(FAILED | MORE, out);
}

/// INFO, as PRINT gives it.
pub(crate) fn printed(message: &str, out: &mut Vec<u8>) {
    told(0xAB, (0, 0), message, 1, out);
    done(MORE, out);
}

/// ENVCHANGE and INFO of a USE.
pub(crate) fn database_changed(database: &str, out: &mut Vec<u8>) {
    let name = [vec![u8::try_from(database.encode_utf16().count()).unwrap()], utf16(database)].concat();
    token(0xE3, &[&[1], &name[..], &name[..]].concat(), out);
    told(0xAB, (5701, 0), &format!("Changed database context to '{database}'."), 1, out);
    done(MORE, out);
}

fn told(kind: u8, (number, class): (u32, u8), message: &str, line: u32, out: &mut Vec<u8>) {
    let mut body = number.to_le_bytes().to_vec();
    body.extend([1, class]);
    put16(&mut body, u16::try_from(message.encode_utf16().count()).unwrap());
    body.extend(utf16(message));
    body.extend([0, 0]);
    body.extend(line.to_le_bytes());
    token(kind, &body, out);
}

/// Reads on from where it stands.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn bytes(&mut self, count: usize) -> &'b [u8] {
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap()
    }

    fn u8(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.number())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.number())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.number())
    }

    /// The value of a parameter, with its type before it.
    fn value(&mut self) -> Option<String> {
        const NVARCHAR: u8 = 0xE7;
        const INTN: u8 = 0x26;
        // the driver's null without a type
        const NULL: u8 = 0x1F;
        match self.u8() {
            NVARCHAR => {
                let most = self.u16();
                let _collation = self.bytes(5);
                if most == u16::MAX {
                    return self.chunks();
                }
                match self.u16() {
                    u16::MAX => None,
                    length => Some(text(self.bytes(usize::from(length)))),
                }
            }
            INTN => {
                let _most = self.u8();
                let length = usize::from(self.u8());
                let mut number = [0; 8];
                number[..length].copy_from_slice(self.bytes(length));
                (length > 0).then(|| i64::from_le_bytes(number).to_string())
            }
            NULL => None,
            other => panic!("a parameter of type {other:#x}"),
        }
    }

    /// A long value, in parts.
    fn chunks(&mut self) -> Option<String> {
        if self.u64() == u64::MAX {
            return None;
        }
        let mut all = Vec::new();
        loop {
            match self.u32() {
                0 => return Some(text(&all)),
                length => all.extend_from_slice(self.bytes(length as usize)),
            }
        }
    }
}

/// The statement of a batch.
pub(crate) fn batch(body: &[u8]) -> Call {
    let mut reader = Reader(body);
    let headers = reader.u32() as usize;
    reader.bytes(headers - 4);
    Call { statement: text(reader.0), parameters: Vec::new() }
}

fn text(utf16: &[u8]) -> String {
    let units: Vec<u16> = utf16.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16(&units).unwrap()
}

pub(crate) fn call(body: &[u8]) -> Call {
    const EXECUTE_SQL: u16 = 10;
    let mut reader = Reader(body);
    let headers = reader.u32() as usize;
    reader.bytes(headers - 4);
    assert_eq!((reader.u16(), reader.u16()), (u16::MAX, EXECUTE_SQL), "sp_executesql by its number");
    let _flags = reader.u16();
    let mut values = Vec::new();
    while !reader.0.is_empty() {
        let length = usize::from(reader.u8());
        let name = text(reader.bytes(2 * length));
        let _status = reader.u8();
        values.push((name, reader.value()));
    }
    let mut values = values.into_iter();
    let statement = values.next().and_then(|(_, statement)| statement).unwrap();
    let _declarations = values.next().unwrap();
    Call { statement, parameters: values.collect() }
}

/// User and password of a LOGIN7 message.
pub(crate) fn credentials(body: &[u8]) -> (String, String) {
    let at = |place: usize| usize::from(u16::from_le_bytes([body[place], body[place + 1]]));
    let field = |place: usize| &body[at(place)..at(place) + 2 * at(place + 2)];
    let password: Vec<u8> = field(44).iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
    (text(field(40)), text(&password))
}

/// SQL_Latin1_General_CP1_CI_AS.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

const DONE: u8 = 0xFD;
const MORE: u16 = 1;

/// One result and its end; `more` if another follows.
pub(crate) fn result(set: &ResultSet, more: bool, out: &mut Vec<u8>) {
    out.push(0x81);
    put16(out, u16::try_from(set.columns.len()).unwrap());
    for (name, ty) in &set.columns {
        out.extend([0; 4]);
        // nullable
        put16(out, 0x0001);
        column(*ty, out);
        let name: Vec<u16> = name.encode_utf16().collect();
        out.push(u8::try_from(name.len()).unwrap());
        for unit in name {
            put16(out, unit);
        }
    }
    for row in &set.rows {
        out.push(0xD1);
        for ((_, ty), value) in set.columns.iter().zip(row) {
            cell(*ty, value, out);
        }
    }
    done(if more { MORE } else { 0 }, out);
}

pub(crate) fn done(status: u16, out: &mut Vec<u8>) {
    out.push(DONE);
    put16(out, status);
    put16(out, 0xC1);
    out.extend([0; 8]);
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend(number.to_le_bytes());
}

fn column(ty: Type, out: &mut Vec<u8>) {
    match ty {
        Type::Bit => out.extend([0x68, 1]),
        Type::TinyInt => out.extend([0x26, 1]),
        Type::SmallInt => out.extend([0x26, 2]),
        Type::Int | Type::Null => out.extend([0x26, 4]),
        Type::BigInt => out.extend([0x26, 8]),
        Type::Real => out.extend([0x6D, 4]),
        Type::Float => out.extend([0x6D, 8]),
        Type::SmallMoney => out.extend([0x6E, 4]),
        Type::Money => out.extend([0x6E, 8]),
        Type::Decimal { precision, scale } => out.extend([0x6A, 17, precision, scale]),
        Type::Date => out.push(0x28),
        Type::DateTime | Type::SmallDateTime | Type::DateTime2(_) => out.extend([0x6F, 8]),
        Type::VarChar(length) | Type::NVarChar(length) => {
            let wide = matches!(ty, Type::NVarChar(_));
            out.push(if wide { 0xE7 } else { 0xA7 });
            let bytes = length.map_or(u16::MAX, |length| u16::try_from(length).unwrap() * if wide { 2 } else { 1 });
            put16(out, bytes);
            out.extend(COLLATION);
        }
        Type::Char(length) => {
            out.push(0xAF);
            put16(out, u16::try_from(length).unwrap());
            out.extend(COLLATION);
        }
        Type::NChar(length) => {
            out.push(0xEF);
            put16(out, u16::try_from(2 * length).unwrap());
            out.extend(COLLATION);
        }
        other => panic!("a column of type {other:?}"),
    }
}

fn cell(ty: Type, value: &Value, out: &mut Vec<u8>) {
    let is_long = matches!(ty, Type::VarChar(None) | Type::NVarChar(None));
    match value {
        Value::Null if is_long => out.extend([0xFF; 8]),
        Value::Null if is_text(ty) => put16(out, u16::MAX),
        Value::Null => out.push(0),
        Value::Bit(bit) => out.extend([1, u8::from(*bit)]),
        Value::Int(number) => {
            let width = match ty {
                Type::TinyInt | Type::Bit => 1,
                Type::SmallInt => 2,
                Type::BigInt => 8,
                _ => 4,
            };
            out.push(width);
            out.extend(&number.to_le_bytes()[..usize::from(width)]);
        }
        Value::Numeric(number) => {
            if let Type::Decimal { scale, .. } = ty {
                assert_eq!(number.scale(), scale);
                out.push(17);
                out.push(u8::from(number.mantissa() >= 0));
                out.extend(number.mantissa().unsigned_abs().to_le_bytes());
            } else {
                // MONEY: the upper half first
                let units = i64::try_from(number.mantissa()).unwrap();
                out.push(8);
                out.extend(i32::try_from(units >> 32).unwrap().to_le_bytes());
                out.extend(u32::try_from(units & 0xFFFF_FFFF).unwrap().to_le_bytes());
            }
        }
        Value::Float(number) => {
            out.push(8);
            out.extend(number.to_le_bytes());
        }
        Value::Date(date) => {
            out.push(3);
            out.extend(&(date.num_days_from_ce() - 1).to_le_bytes()[..3]);
        }
        Value::DateTime(time) => {
            out.push(8);
            datetime(*time, out);
        }
        Value::Text(text) if is_long => {
            let bytes = encoded(ty, text);
            out.extend((bytes.len() as u64).to_le_bytes());
            if !bytes.is_empty() {
                out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
                out.extend(bytes);
            }
            out.extend([0; 4]);
        }
        Value::Text(text) => {
            let bytes = encoded(ty, text);
            put16(out, u16::try_from(bytes.len()).unwrap());
            out.extend(bytes);
        }
        other => panic!("a value {other:?}"),
    }
}

fn is_text(ty: Type) -> bool {
    matches!(ty, Type::VarChar(_) | Type::NVarChar(_) | Type::Char(_) | Type::NChar(_))
}

fn encoded(ty: Type, text: &str) -> Vec<u8> {
    match ty {
        Type::NVarChar(_) | Type::NChar(_) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        // of code page 1252, as far as it is Latin-1
        _ => text.chars().map(|char| u8::try_from(u32::from(char)).unwrap_or(b'?')).collect(),
    }
}

fn datetime(time: NaiveDateTime, out: &mut Vec<u8>) {
    const DAY_0: i32 = 693_596;
    out.extend((time.num_days_from_ce() - DAY_0).to_le_bytes());
    out.extend((time.num_seconds_from_midnight() * 300).to_le_bytes());
}
