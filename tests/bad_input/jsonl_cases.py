"""Damaged logs of JSON lines: what is written, and what must become of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bad_input.forms import FORMS, Form

ALL = tuple(FORMS)
NOT_JSON, NO_OBJECT, TWICE, NOT_UTF8 = "not JSON", "not a JSON object", "an object has a key twice", "not UTF-8"
TOO_LONG, TOO_DEEP = "longer than 8 MiB", "nested too deep"
NO_COUNT, NO_COST = "{tokens} is not a count", "{cost} is not an amount in "
NO_STEP = "expects an object at the step before"


@dataclass(frozen=True)
class Call:
    """A call of these tokens (null: unknown), and with these values in other columns."""

    tokens: int | None = 10
    columns: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Rejected:
    reason: str


BLANK = "blank"
Verdict = Call | Rejected | str


@dataclass(frozen=True)
class Case:
    """`lines` of a form and a tag that makes ids unique; `verdicts` by line number, where one is no call of 10 tokens;
    `of_form`: verdicts that hold of one form only."""

    name: str
    lines: Callable[[Form, str], list[bytes]]
    verdicts: dict[int, Verdict]
    forms: tuple[str, ...] = ALL
    of_form: dict[str, dict[int, Verdict]] = field(default_factory=dict)
    is_large: bool = False  # only as it is and gzip-packed

    def written(self) -> list[tuple[str, str]]:
        """(form, variant) of each file: all forms as they are, one in turn in every other way."""
        forms = self.forms[:1] if self.is_large else self.forms
        turn = forms[len(self.name) % len(forms)]
        others = ("gzip", "good") if self.is_large else ("exact", "gzip", "zstd", "grown", "good")
        return [*((form, "plain") for form in forms), *((turn, variant) for variant in others)]

    def verdicts_of(self, form: Form, line_count: int) -> dict[int, Verdict]:
        told = self.verdicts | self.of_form.get(form.name, {})
        return {number: told.get(number, Call()) for number in range(1, line_count + 1)}


def five(form: Form, tag: str) -> list[bytes]:
    return [form.line(tag, number) for number in range(1, 6)]


def line(name: str, third: Callable[[Form, str], bytes] | bytes, verdict: Verdict, **more) -> Case:
    """The third of five good lines is another."""

    def lines(form: Form, tag: str) -> list[bytes]:
        given = third if isinstance(third, bytes) else third(form, tag)
        return [*five(form, tag)[:2], given, *five(form, tag)[3:]]

    of_form = {form: {3: told} for form, told in more.pop("of_form", {}).items()}
    return Case(name, lines, {3: verdict}, of_form=of_form, **more)


def value(name: str, verdict: Verdict, more_of: dict | None = None, **texts: str) -> Case:
    """A value of the third line is another JSON text."""
    return line(name, lambda form, tag: form.line(tag, 3, **texts), verdict, **(more_of or {}))


def edited(name: str, edit: Callable[[bytes], bytes], verdict: Verdict, **more) -> Case:
    """The third line's bytes are changed."""
    return line(name, lambda form, tag: edit(form.line(tag, 3)), verdict, **more)


def _after_brace(text: str) -> Callable[[bytes], bytes]:
    return lambda good: good.replace(b"{", b"{" + text.encode(), 1)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


OBJECTS = '{"a":' * 100_000 + "1" + "}" * 100_000


def odd_rows(**texts: str) -> Callable[[Form, str], list[bytes]]:
    """300 lines, of which the 250th has other values."""
    return lambda form, tag: [form.line(tag, n, **(texts if n == 250 else {})) for n in range(1, 301)]


def tokens_twice(form: Form, tag: str) -> bytes:
    """The key of the tokens stands twice in its object; the text that holds it in one form has its quotes escaped."""
    good = form.line(tag, 3, tokens="1234")
    key = form.tokens_path.rpartition(".")[2].encode() if form.name != "mapped" else b"input"
    at = good.index(b"1234") + 4
    quote = b'\\"' if form.name == "spend" else b'"'
    return good[:at] + b"," + quote + key + quote + b":5" + good[at:]


QUARANTINED = Rejected(NO_COUNT)
NESTED = Rejected(" is not read: nested deeper than 100 ([bounds] nesting)")
NO_TEXT = {"spend": Rejected("steps into a text that is not JSON")}  # where the value stands in one
UNNAMED = Call(columns={"model": None})  # kept, and listed as a call that has no price: `unpriced`
CASES = [
    Case("01_clean", five, {}),
    Case(
        "04_blank_lines_between",
        lambda form, tag: [x for good in five(form, tag) for x in (good, b"")],
        dict.fromkeys((2, 4, 6, 8, 10), BLANK),
    ),
    line("05_space_tab_line", b" \t ", BLANK),
    Case("07_crlf", lambda form, tag: [good + b"\r" for good in five(form, tag)], {}),
    line(
        "11_half_line_then_next_glued", lambda form, tag: form.line(tag, 3)[:-9] + form.line(tag, 4), Rejected(NOT_JSON)
    ),
    line("12_two_objects_one_line", lambda form, tag: form.line(tag, 3) + form.line(tag, 9), Rejected(NOT_JSON)),
    edited("13_line_cut_in_middle", lambda good: good[: len(good) // 2], Rejected(NOT_JSON)),
    line("14_nul_line", b"\0" * 40, Rejected(NOT_JSON)),
    value("16_nul_raw_in_string", Rejected(NOT_JSON), model='"g\0x"'),
    value("17_nul_escaped_in_string", Call(columns={"model": "g\0x"}), model='"g\\u0000x"'),
    edited("18_invalid_utf8", lambda good: good.replace(b"gpt-5", b"gpt-\xff5"), Rejected(NOT_UTF8)),
    edited("19_latin1", lambda good: good.replace(b"gpt-5", b"gpt-\xe95"), Rejected(NOT_UTF8)),
    edited("20_cesu_surrogate_bytes", lambda good: good.replace(b"gpt-5", b"gpt-\xed\xa0\x805"), Rejected(NOT_UTF8)),
    value("21_lone_surrogate_escape", Rejected("model holds half a surrogate pair"), model='"g\\ud800x"'),
    value("23_raw_control_char", Rejected(NOT_JSON), model='"g\x01x"'),
    edited("24_dup_key_top", _after_brace('"model":"other",'), Rejected(TWICE)),
    line("25_dup_key_usage_input", tokens_twice, Rejected(TWICE)),
    value("26_cost_NaN", Rejected(NO_COST), cost="NaN"),
    value("27_cost_Infinity", Rejected(NO_COST), cost="Infinity"),
    value("28_cost_1e999", Rejected(NO_COST), cost="1e999"),
    value("29_cost_string", Call(), cost='"0.5"'),
    value("30_tok_negative", QUARANTINED, tokens="-1"),
    value("31_tok_float_10.0", Call(10), tokens="10.0"),
    value("32_tok_float_10.7", QUARANTINED, tokens="10.7"),
    value("33_tok_1e3", Call(1000), tokens="1e3"),
    value("34_tok_i64max+1", QUARANTINED, tokens=str(2**63)),
    value("35_tok_u64max", QUARANTINED, tokens=str(2**64 - 1)),
    value("36_tok_2^64", QUARANTINED, tokens=str(2**64)),
    value("37_tok_1e30_digits", QUARANTINED, tokens=str(10**30)),
    value("38_tok_400_digits", QUARANTINED, tokens="1" * 400),
    value("39_tok_string_num", Call(10), tokens='"10"'),
    value("40_tok_string_abc", QUARANTINED, tokens='"abc"'),
    value("41_tok_bool", QUARANTINED, tokens="true"),
    value("42_tok_null", Call(None), tokens="null"),
    value("43_tok_leading_zero", Rejected(NOT_JSON), {"of_form": NO_TEXT}, tokens="010"),
    value("44_tok_plus", Rejected(NOT_JSON), {"of_form": NO_TEXT}, tokens="+10"),
    value("45_tok_hex", Rejected(NOT_JSON), {"of_form": NO_TEXT}, tokens="0x10"),
    value("46_usage_missing", Call(None), usage="{}"),
    value("47_usage_null", Call(None), usage="null"),
    value("48_usage_list", Rejected(NO_STEP), usage="[10,5]"),
    value("49_usage_string_json", Rejected(NO_STEP), usage='"{\\"input\\":10}"'),
    value("50_extra_field", Call(), more=',"seen":{"by":["a",1]}'),
    edited("51_key_case_Model", lambda good: good.replace(b'"model"', b'"Model"'), UNNAMED),
    line("52_id_number", lambda form, tag: form.line(tag, 3, id=str(10**22 + abs(hash(tag)))), Call()),
    value("53_model_null", UNNAMED, model="null"),
    value("54_model_object", Rejected("model is not a name"), model='{"name":"x"}'),
    line("55_line_is_array", b"[1,2]", Rejected(NO_OBJECT)),
    line("56_line_is_scalar_42", b"42", Rejected(NO_OBJECT)),
    line("57_line_is_null", b"null", Rejected(NO_OBJECT)),
    line("58_line_is_string", b'"text"', Rejected(NO_OBJECT)),
    line(
        "59_line_empty_object",
        b"{}",
        Rejected("tells nothing of a call"),
        of_form={"chat": Rejected("not a chat completion")},
    ),
    edited("62_trailing_comma", lambda good: good[:-1] + b",}", Call()),
    line("63_single_quotes", b"{'id':'x'}", Rejected(NOT_JSON)),
    line("64_comment_line", b"# a comment", Rejected(NOT_JSON)),
    edited("65_log_prefix", lambda good: b"2026-09-01 INFO " + good, Rejected(NOT_JSON)),
    edited("66_trailing_garbage", lambda good: good + b" end", Rejected(NOT_JSON)),
    value("67_depth_1k", Call(), more=f',"x":{nested(1_000)}'),
    value("68_depth_100k", Call(), {"is_large": True}, more=f',"x":{nested(100_000)}'),
    line("69_depth_5M_unclosed", b'{"x":' + b"[" * 5_000_000, Rejected(TOO_DEEP), is_large=True),
    value("70_depth_100k_objects", Call(), {"is_large": True}, more=f',"x":{OBJECTS}'),
    value("71_line_20MB", Rejected(TOO_LONG), {"is_large": True}, more=f',"x":"{"y" * 20_000_000}"'),
    value(
        "72_line_100MB", Rejected(TOO_LONG), {"is_large": True, "forms": ("chat",)}, more=f',"x":"{"y" * 100_000_000}"'
    ),
    value("73_10k_keys_one_row", Call(), more="".join(f',"k{n}":{n}' for n in range(10_000))),
    Case("74_drift_new_field_row250", odd_rows(more=',"new":{"a":[1]}'), {}),
    Case("75_drift_int_to_str_row250", odd_rows(tokens='"10"'), {}),
    Case("76_drift_int_to_float_row250", odd_rows(tokens="10.5"), {250: QUARANTINED}),
    Case("77_drift_obj_to_list_row250", odd_rows(usage="[1,2]"), {250: Rejected(NO_STEP)}),
    Case(
        "80_model_1MB",
        lambda form, tag: [*five(form, tag)[:2], form.line(tag, 3, model=f'"{"m" * 1_000_000}"'), *five(form, tag)[3:]],
        {3: Rejected("model is not a name: longer than 1 KiB")},
        is_large=True,
    ),
    value("81_model_sql_inj", Call(columns={"model": "x'; drop table calls; --"}), model='"x\'; drop table calls; --"'),
    value("82_model_formula", Call(columns={"model": "=cmd|' /C calc'!A0"}), model="\"=cmd|' /C calc'!A0\""),
    value("83_model_path", Call(columns={"model": "../../etc/passwd"}), model='"../../etc/passwd"'),
    value("84_model_rtl_zwsp", Call(columns={"model": "g\u202ex\u200b"}), model='"g\u202ex\u200b"'),
    value("85_ndjson_lineseps_u2028", Call(columns={"model": "g\u2028x\u2029y\x85z"}), model='"g\u2028x\u2029y\x85z"'),
    # what the catalogue lacks
    value("tok_1e400", QUARANTINED, tokens="1e400"),
    value("tok_1e-7", QUARANTINED, tokens="1e-7"),
    # a JSON number is a double: what is beyond its digits is in no reader's number, only in a text
    value("tok_1e-400", Call(0), tokens="1e-400"),
    value("tok_1e-400_text", QUARANTINED, tokens='"1e-400"'),
    value("tok_huge_exponent", QUARANTINED, tokens="1e999999999999999999999"),
    value("tok_minus_zero", Call(0), tokens="-0"),
    value("tok_minus_zero_point", Call(0), tokens="-0.0"),
    value("tok_10.00000000000000000001", Call(10), tokens="10.00000000000000000001"),
    value("tok_10.00000000000000000001_text", QUARANTINED, tokens='"10.00000000000000000001"'),
    value("tok_most", Call(10**9), {"forms": ("mapped", "chat")}, tokens="1e9"),
    value("tok_more_than_most", QUARANTINED, tokens="1000000001"),
    value("tok_spaces", QUARANTINED, tokens='" 10 "'),
    value("tok_thousands", QUARANTINED, tokens='"1,000"'),
    value("tok_underscore", QUARANTINED, tokens='"1_000"'),
    value("tok_arabic_digits", QUARANTINED, tokens='"\u0661\u0660"'),
    value("tok_NaN", QUARANTINED, tokens="NaN"),
    value("tok_list", QUARANTINED, tokens="[10]"),
    value("tok_object", QUARANTINED, tokens='{"n":10}'),
    value("tok_empty_text", Call(None), tokens='""'),  # an empty text is none, as in CSV
    value("cost_1e-400", Call(columns={"recorded_cost_pico": 0}), {"forms": ("chat", "mapped")}, cost="1e-400"),
    value("cost_huge_exponent", Rejected(NO_COST), cost='"1e999999999"'),
    value("cost_negative", Call(), cost="-1"),  # a credit
    edited("bom_in_the_middle", lambda good: b"\xef\xbb\xbf" + good, Rejected(NOT_JSON)),
    edited("lone_cr_in_the_line", lambda good: good.replace(b",", b",\r", 1), Call()),  # white space between tokens
    edited("cr_between_two_objects", lambda good: good + b"\r" + good, Rejected(NOT_JSON)),
    edited("no_break_space_before", lambda good: b"\xc2\xa0" + good, Rejected("the JSON reader refuses it")),
    edited("vertical_tab_after", lambda good: good + b"\x0b", Call()),
    edited("comma_after", lambda good: good + b",", Call()),
    value("key_with_dot_quote_and_nul", Call(), more=',"usage.input":1,"a\\"b":2,"c\\u0000":3,"":4'),
    value("key_by_case_beside", Call(), more=',"MODEL":"other","Usage":{"input":99}'),
    value("key_by_normal_form_beside", Call(), more=',"mode\u0301l":"x","mod\u00e9l":"y"'),
    value("key_twice_that_is_not_read", Call(), more=',"other":1,"other":2'),
    value("key_twice_by_escape", Rejected(TWICE), more=',"mod\\u0065l":"other"'),
    value("nested_201_in_a_field_that_is_read", NESTED, tokens=nested(201)),
    value("nested_5k_in_a_field_that_is_read", NESTED, tokens=nested(5_000)),
    value("object_with_100k_keys", Call(), {"is_large": True}, more="".join(f',"k{n}":{n}' for n in range(100_000))),
    value("usage_number", Rejected(NO_STEP), usage="10"),
    value("usage_true", Rejected(NO_STEP), usage="true"),
    line("closing_brace", b"}", Rejected(NOT_JSON)),
    line("exclamation", b"!what somebody said", Rejected(NOT_JSON)),
    line("our_own_mark", b"!longer than 8 MiB", Rejected(TOO_LONG)),
    line("xml", b"<call/>", Rejected(NOT_JSON)),
]


@dataclass(frozen=True)
class FileCase:
    """A whole file of a form: the lines that are calls, those that are quarantined, or why it is refused."""

    name: str
    data: Callable[[Form, str], bytes]
    calls: tuple[int, ...] = (1, 2, 3, 4, 5)
    quarantined: dict[int, str] = field(default_factory=dict)
    refused: str | None = None
    waits: bool = False


def good(form: Form, tag: str) -> bytes:
    return b"".join(line + b"\n" for line in five(form, tag))


def _pretty(form: Form, tag: str) -> bytes:
    return b"".join(json.dumps(json.loads(line), indent=2).encode() + b"\n" for line in five(form, tag))


def _of_text(change: Callable[[str], str], encoding: str = "utf-8") -> Callable[[Form, str], bytes]:
    return lambda form, tag: change(good(form, tag).decode()).encode(encoding)


BINARY = "save it as UTF-8"
FILES = [
    FileCase("02_empty_file", lambda form, tag: b"", calls=()),
    FileCase("03_only_newlines", lambda form, tag: b"\n\n\r\n \n", calls=()),
    FileCase("06_utf8_bom", lambda form, tag: b"\xef\xbb\xbf" + good(form, tag)),
    # carriage returns are white space of JSON: objects one after another, as any other layout without lines
    FileCase("08_cr_only", lambda form, tag: good(form, tag).replace(b"\n", b"\r")),
    FileCase("09_no_final_newline", lambda form, tag: good(form, tag)[:-1]),
    FileCase("10_half_last_line", lambda form, tag: good(form, tag)[:-9], calls=(1, 2, 3, 4), waits=True),
    FileCase("15_nul_tail", lambda form, tag: good(form, tag) + b"\0" * 4096, waits=True),
    # a file that is rotated while it is open is zeros up to where its writer stood
    FileCase(
        "nul_head",
        lambda form, tag: b"\0" * 4096 + good(form, tag),
        calls=(2, 3, 4, 5),
        quarantined={1: NOT_JSON},
    ),
    FileCase("nul_only", lambda form, tag: b"\0" * 4096, calls=(), refused=BINARY),
    FileCase("22_utf16_file", _of_text(str, "utf-16"), calls=(), refused=BINARY),
    FileCase("utf16_le_without_bom", _of_text(str, "utf-16-le"), calls=(), refused=BINARY),
    FileCase("utf16_be_without_bom", _of_text(str, "utf-16-be"), calls=(), refused=BINARY),
    FileCase("utf32", _of_text(str, "utf-32"), calls=(), refused=BINARY),
    FileCase("60_json_array_file", lambda form, tag: b"[" + b",\n".join(five(form, tag)) + b"]"),
    FileCase("61_pretty_printed", _pretty),
    FileCase(  # RFC 7464; its mark before each record is no JSON
        "json_text_sequence",
        lambda form, tag: b"".join(b"\x1e" + line + b"\n" for line in five(form, tag)),
        calls=(),
        quarantined=dict.fromkeys(range(1, 6), "the JSON reader refuses it"),
    ),
    FileCase(
        "two_boms",
        lambda form, tag: b"\xef\xbb\xbf" * 2 + good(form, tag),
        calls=(2, 3, 4, 5),
        quarantined={1: NOT_JSON},
    ),
]
