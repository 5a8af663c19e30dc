from datetime import UTC, datetime

import polars as pl
import pytest

from pipelines.prices.price_file import read_price_file
from pipelines.settings import UserError
from transforms.schemas import PRICE_RULES

HEADER = "provider,model,token_class,usd_per_million,valid_from"


def price_file(tmp_path, *lines: str, header: str = HEADER):
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_price_file(tmp_path):
    header = HEADER + ",valid_to,service_tier,region,is_batch,context_above,source_url"
    rows = read_price_file(
        price_file(
            tmp_path,
            "openai,gpt-5.2,input,1.75,2026-01-01,2026-07-01T12:00:00+02:00,flex,eu,true,200000,https://x.example",
            ",gpt-*,output,0.000001,,,,,,,",
            ",m,cache_write,3,2026-01-01T00:00:00Z,,,,FALSE,,",
            header=header,
        )
    )
    assert rows.schema == pl.Schema(PRICE_RULES)
    assert rows["token_class"].to_list() == ["input", "output", "cache_write_5m", "cache_write_1h", "cache_write_other"]
    assert rows["rate_pico"].to_list() == [1_750_000, 1, 3_000_000, 3_000_000, 3_000_000]
    first, second, third, *_ = rows.to_dicts()
    assert first["valid_to"] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert (first["context_above"], first["is_batch"], first["source"]) == (200_000, True, "contract")
    assert [second[name] for name in ("provider", "valid_from", "valid_to", "service_tier", "is_batch")] == [None] * 5
    assert (third["is_batch"], third["valid_from"]) == (False, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("line", "fact", "fix"),
    [
        (",m,input,-1,2026-01-01", "negative", "0 (free) or more"),
        (",m,inputs,1,2026-01-01", "token_class 'inputs' is unknown", "cache_read"),
        (",m,,1,2026-01-01", "token_class '' is unknown", "cache_read"),
        (",m,input,$1,2026-01-01", "'$1' is not a number", "2.50"),
        (",m,input,NaN,2026-01-01", "'NaN' is not a number", "2.50"),
        (",m,input,,2026-01-01", "'' is not a number", "2.50"),
        (",m,input,1_0,2026-01-01", "'1_0' is not a number", "2.50"),
        (",m,input,0.0000001,2026-01-01", "more than 6 decimals (12 per token)", "round it to 6"),
        (",m,input,5000000000,2026-01-01", "above 1000 USD per token", "per million"),
        (",m,input,1,01/02/2026", "'01/02/2026' is not a date", "2026-01-31"),
        (",,input,1,2026-01-01", "model is empty", "*"),
        (",m,input,1,2026-01-01,2", "more cells than columns", "quote"),
        ("OpenAI,GPT,input,2,2026-01-01T00:00:00Z", "the same price from the same instant as line 2", "keep one"),
    ],
)
def test_a_wrong_line_is_named_with_the_fact_and_the_fix(tmp_path, line, fact, fix):
    path = price_file(tmp_path, "openai,gpt,input,1,2026-01-01", line)
    with pytest.raises(UserError) as error:
        read_price_file(path)
    message = str(error.value)
    assert message.startswith(f"{path}, line 3: ") and fact in message and fix in message.split(";", 1)[1], message


@pytest.mark.parametrize(
    ("column", "value", "fact"),
    [
        ("is_batch", "maybe", "neither true nor false"),
        ("context_above", "200k", "not a whole number"),
        ("valid_to", "2026-01-01", "is not after valid_from"),
        ("valid_to", "soon", "valid_to 'soon' is not a date"),
    ],
)
def test_a_wrong_optional_cell(tmp_path, column, value, fact):
    path = price_file(tmp_path, f",m,input,1,2026-01-01,{value}", header=f"{HEADER},{column}")
    with pytest.raises(UserError, match=f"line 2: .*{fact}.*; "):
        read_price_file(path)


def test_a_wrong_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read .*; name a readable CSV"):
        read_price_file(tmp_path / "none.csv")
    with pytest.raises(UserError, match="line 1: column 'valid_from' is missing; the first line must name provider"):
        read_price_file(price_file(tmp_path, header="provider,model,token_class,usd_per_million"))
    with pytest.raises(UserError, match="line 1: column 'note' is unknown"):
        read_price_file(price_file(tmp_path, header=HEADER + ",note"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="line 1: column 'provider' is missing"):
        read_price_file(tmp_path / "empty.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\n,caf\xe9,input,1,2026-01-01\n")
    with pytest.raises(UserError, match="line 2: not UTF-8; save"):
        read_price_file(tmp_path / "latin.csv")


def test_a_provider_goes_by_its_id_and_a_gateway_stays_as_it_is(tmp_path):
    rows = read_price_file(price_file(tmp_path, "Bedrock,a,input,1,", "x_ai,b,input,1,", "litellm,c,input,1,"))
    assert rows["provider"].to_list() == ["aws", "x-ai", "litellm"]
    with pytest.raises(UserError, match=r"line 3: the same price .* as line 2 \(codestral is mistral\); keep one"):
        read_price_file(price_file(tmp_path, "mistral,a,input,1,", "codestral,a,input,0,"))


def test_a_price_file_saved_by_a_spreadsheet(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b'\r\n"",gpt-5.2 , input,"2.50",2026-01-01\r\n\r\n')
    rows = read_price_file(path)
    assert rows.select("provider", "model", "rate_pico").rows() == [(None, "gpt-5.2", 2_500_000)]
