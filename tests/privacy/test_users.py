"""Users under hashes of their names, and users who were forgotten: no name comes in by any door."""

import csv
import hashlib
import hmac
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import night_rules, retention, sandbox, stages, what_if
from pipelines.errors import UserError
from pipelines.settings import Settings
from pipelines.users import Users
from tests.pipelines.logs import ingest, jsonl, ledger_rows
from transforms import attribution

ROOT = Path(__file__).parents[2]
KEY = "an example of a key with 32 bytes or more"
NAME, OTHER = "alice@example.org", "bob.builder"


def hashed(name: str, key: str = KEY) -> str:
    return "u_" + hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()[:32]


def call(number: int, user: str | None, **told: object) -> dict:
    return {
        "call_id": f"call-{number}", "called_at": f"2026-11-{1 + number % 3:02}T10:00:00Z", "provider": "openai",
        "model": "gpt-5-mini", "input_tokens": 100_000 + number, "output_tokens": 10, "feature": "reply",
        "action_id": f"act-{number}", "user_id": user, "customer_id": "acme",
    } | told  # fmt: skip


def files_with(folder: Path, text: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if text.encode() in path.read_bytes()]


def told(data: Path, query: str) -> list[tuple]:
    return sorted(sandbox.query(data / "warehouse.duckdb", query).rows(), key=repr)


def texts_of(data: Path) -> str:
    """All that the ledger's files and the manifest say, uncompressed."""
    rows = [str(pl.read_parquet(path, glob=False).rows()) for path in data.rglob("*.parquet")]
    with sqlite3.connect(data / "manifest.sqlite") as connection:
        names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        rows += [str(connection.execute(f"select * from {name}").fetchall()) for name in names]
    return "\n".join(rows)


@pytest.fixture
def keyed(monkeypatch):
    monkeypatch.setenv("TOKENSPREAD_USER_KEY", KEY)


@pytest.fixture
def given(tmp_path, keyed) -> dict:
    """Names at every door: a log, revenue, scenarios as text, as table and as file, a limit of spend."""
    (tmp_path / "log.jsonl").write_bytes(jsonl(call(n, (NAME, OTHER, None)[n % 3]) for n in range(12)))
    revenue = [
        ("feature", "user_id", "revenue_usd"),
        ("reply", NAME, "1.25"),
        ("reply", f" {OTHER} ", "2"),
        ("reply", "", "7"),
    ]
    with (tmp_path / "revenue.csv").open("w", newline="") as file:
        csv.writer(file).writerows(revenue)
    (tmp_path / "more.toml").write_text(f'[scenarios.file]\nchange = "+5%"\nuser = "{OTHER}"\n')
    (tmp_path / "tokenspread.toml").write_text(
        "[privacy]\nhash_users = true\n"
        f'[scenarios.left]\nchanges = [{{ activity = "-100%", user = "{NAME}" }}]\n'
        f'[[alerts.spend]]\nby = "user"\nname = "{NAME}"\nlimit_usd = 1\n'
    )
    return {
        "config": tmp_path / "tokenspread.toml", "data": tmp_path / "data", "logs": [str(tmp_path / "log.jsonl")],
        "revenue": tmp_path / "revenue.csv",
        "scenarios": [f"+10% user={NAME}", f'+20% user="{OTHER}"; -1% user=\'{NAME}\'', str(tmp_path / "more.toml")],
    }  # fmt: skip


def test_no_name_of_a_user_is_kept_and_every_figure_is_as_with_names(given, tmp_path):
    settings = Settings.load(**given)
    stages.ingest(settings)
    stages.build(settings)
    plain = Settings.load(
        None, **{name: value for name, value in given.items() if name != "config"} | {"data": tmp_path / "plain"}
    )
    stages.ingest(plain)
    stages.build(plain)
    assert not any(name in texts_of(settings.data) or files_with(settings.data, name) for name in (NAME, OTHER))
    assert NAME in texts_of(plain.data)  # so the search can see one
    query = "select user_id, scenario, cost_usd, revenue_usd from scenario_comparison where scenario <> 'left'"
    ours, theirs = (told(data, query) for data in (settings.data, plain.data))
    assert {name for name, *_ in ours if name} == {hashed(NAME), hashed(OTHER), "unattributed"}
    called = {NAME: hashed(NAME), OTHER: hashed(OTHER)}

    def as_ours(row: tuple) -> tuple:
        user, scenario, *money = row
        for name, other in called.items():
            scenario = scenario.replace(f'"{name}"', other).replace(f"'{name}'", other).replace(name, other)
        return (called.get(user, user), scenario, *money)

    assert ours == sorted(map(as_ours, theirs), key=repr)
    assert told(settings.data, "select count(*) from scenario_comparison where starts_with(scenario, 'left')") != [(0,)]
    limits = night_rules.rules(settings).alerts.spend
    assert [limit.name for limit in limits] == [hashed(NAME)]


def test_revenue_may_name_a_user_by_the_hash(given, tmp_path):
    by_name, by_hash = (Settings.load(**given | {"data": tmp_path / name}) for name in ("by_name", "by_hash"))
    stages.ingest(by_name)
    stages.build(by_name)
    given["revenue"].write_text(given["revenue"].read_text().replace(NAME, hashed(NAME)))
    stages.ingest(by_hash)
    stages.build(by_hash)
    query = "select user_id, scenario, revenue_usd, margin_usd from scenario_comparison where revenue_usd is not null"
    assert told(by_hash.data, query) == told(by_name.data, query)
    assert any(user == hashed(NAME) for user, *_ in told(by_hash.data, query))


def test_the_key_is_nowhere(given, capfd):
    settings = Settings.load(**given)
    stages.ingest(settings)
    stages.build(settings)
    assert not files_with(settings.data, KEY) and KEY not in texts_of(settings.data)
    assert KEY not in repr(settings) + repr(vars(Users(settings)).keys()) + "".join(capfd.readouterr())
    assert settings.user_key == KEY


@pytest.mark.parametrize(("key", "fact"), [(None, "is not set"), ("short-secret", "is shorter than 32 bytes")])
@pytest.mark.parametrize("command", ["ingest", "forget-user"])
def test_without_a_key_nothing_is_taken_and_the_error_names_the_fix(tmp_path, monkeypatch, key, fact, command):
    if key:
        monkeypatch.setenv("TOKENSPREAD_USER_KEY", key)
    (tmp_path / "log.jsonl").write_bytes(jsonl([call(1, NAME)]))
    settings = Settings.load(data=tmp_path / "data", logs=[str(tmp_path / "log.jsonl")], hash_users=True)
    with pytest.raises(UserError, match=rf"TOKENSPREAD_USER_KEY {fact}.*openssl rand -hex 32") as mistake:
        stages.ingest(settings) if command != "forget-user" else Users(settings).names_of(NAME)
    assert "short-secret" not in str(mistake.value)
    assert not list((tmp_path / "data").rglob("*.parquet"))


def test_a_key_in_the_file_is_refused_and_not_cited(tmp_path):
    for text in (f'hash_users = "{KEY}"', f'user_key = "{KEY}"'):
        (tmp_path / "c.toml").write_text(f"[privacy]\n{text}\n")
        with pytest.raises(UserError, match=r"\[privacy\]") as mistake:
            Settings.load(tmp_path / "c.toml")
        assert KEY not in str(mistake.value)


@pytest.mark.parametrize("command", ["run", "ingest", "nightly"])
def test_the_option_of_the_commands(tmp_path, keyed, command):
    (tmp_path / "log.jsonl").write_bytes(jsonl(call(n, NAME) for n in range(3)))
    (tmp_path / "c.toml").write_text('[input]\nlogs = "log.jsonl"\n[gate]\nunpriced = "100%"\n')
    arguments = [command, "--config", tmp_path / "c.toml", "--data", tmp_path / "data", "--hash-users"]
    program = [sys.executable, "-c", "from pipelines.cli import main; main()", *map(str, arguments)]
    ran = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert ran.returncode == 0, ran.stderr
    assert set(ledger_rows(tmp_path / "data")["user_id"]) == {hashed(NAME)}
    assert KEY not in ran.stdout + ran.stderr and not files_with(tmp_path / "data", KEY)


def test_each_name_is_hashed_once_a_batch_and_a_hash_stays_as_it_is():
    asked = []
    calls = pl.DataFrame({"user_id": ["a", "b", None, "a"] * 1000, "n": range(4000)})

    def called(name: str) -> str | None:
        asked.append(name)
        return {"a": "x", "b": None}[name]

    named = attribution.renamed(calls, "user_id", called)
    assert sorted(asked) == ["a", "b"]
    assert named["user_id"].to_list() == ["x", None, None, "x"] * 1000 and named["n"].equals(calls["n"])
    users = Users(Settings(hash_users=True, user_key=KEY))
    assert users.called(users.called(NAME)) == users.called(NAME) == hashed(NAME)
    assert users.called("") == "" and users.called("u_x") == hashed("u_x")
    assert Users(Settings(user_key=KEY)).called(NAME) == NAME
    assert Users(Settings(hash_users=True, user_key=KEY + "x")).called(NAME) != hashed(NAME)


@pytest.mark.parametrize("odd", ['"user=a b"', 'us"er"=jane', 'user=ja"ne doe"', 'user="jane ""doe"'])
def test_the_user_of_a_scenario_that_quotes_oddly_never_stands_in_the_open(keyed, odd):
    with pytest.raises((UserError, ValueError)) as refused:
        what_if.chosen(Settings.load(hash_users=True, scenarios=[f"-5% {odd}"]), are_named_alone=True)
    assert "doe" not in str(refused.value) or "close the quotation" in str(refused.value)
    (feature,) = what_if.chosen(Settings.load(hash_users=True, scenarios=["-5% feature=user=x"]), are_named_alone=True)
    assert feature.name == "-5% feature=user=x"


def test_a_folder_remembers_whether_users_are_hashed_and_by_which_key(tmp_path, monkeypatch):
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl([call(1, NAME)]))
    ingest(tmp_path / "data", log)
    assert ingest(tmp_path / "data", log).report.read_otherwise == []
    monkeypatch.setenv("TOKENSPREAD_USER_KEY", KEY)
    assert ingest(tmp_path / "data", log).report.read_otherwise == []  # a key alone changes nothing
    with pytest.raises(UserError, match="it holds users by their names"):
        ingest(tmp_path / "data", log, hash_users=True)
    ingest(tmp_path / "hashed", log, hash_users=True)
    assert ingest(tmp_path / "hashed", log, hash_users=True).report.read_otherwise == []
    with pytest.raises(UserError, match="its users are kept under hashes of their names; say --hash-users"):
        ingest(tmp_path / "hashed", log)
    with pytest.raises(UserError, match="under hashes of their names"):
        retention.prune(Settings.load(data=tmp_path / "hashed"), date(2030, 1, 1))
    assert ledger_rows(tmp_path / "hashed").height == 1
    with pytest.raises(UserError, match="under hashes of their names"):
        retention.forget_user(Settings.load(data=tmp_path / "hashed"), NAME)
    monkeypatch.setenv("TOKENSPREAD_USER_KEY", KEY[::-1])
    with pytest.raises(UserError, match="hashed with another key; set TOKENSPREAD_USER_KEY to that one"):
        ingest(tmp_path / "hashed", log, hash_users=True)


def test_a_name_in_a_log_that_looks_like_a_hash_is_hashed_too(tmp_path, keyed):
    log, looks_hashed = tmp_path / "log.jsonl", f"u_{'5' * 32}"
    log.write_bytes(jsonl([call(1, looks_hashed)]))
    ingest(tmp_path / "data", log, hash_users=True)
    (user,) = ledger_rows(tmp_path / "data")["user_id"]
    assert user.startswith("u_") and user != looks_hashed


# Forgotten users
def folder_with(tmp_path: Path, **settings: object) -> Path:
    """A data folder that has calls of NAME and OTHER."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl(call(n, NAME if n % 2 else OTHER) for n in range(6)))
    ingest(tmp_path / "data", log, **settings)
    return tmp_path / "data"


def forget(data: Path, user: str = NAME, **settings: object) -> retention.Forgotten:
    return retention.forget_user(Settings.load(data=data, **settings), user)


def users_of(data: Path, column: str = "user_id") -> dict[str | None, int]:
    return dict(ledger_rows(data)[column].value_counts().rows())


def test_another_copy_and_late_lines_bring_no_forgotten_name_back(tmp_path):
    data = folder_with(tmp_path)
    assert forget(data).proof.places == []
    late = tmp_path / "late.jsonl"
    late.write_bytes(
        jsonl([call(n, NAME, output_tokens=99) for n in (1, 3)])  # the same calls, told with more usage
        + jsonl([call(20, NAME), call(21, OTHER, customer_id=NAME), call(22, OTHER), call(23, f"{NAME}x")])
    )
    summary = ingest(data, late)
    assert summary.call_count == 4
    assert users_of(data) == {None: 4, OTHER: 5, f"{NAME}x": 1}
    assert users_of(data, "customer_id") == {None: 1, "acme": 9}
    rows = ledger_rows(data).filter(pl.col("response_id").is_in(["call-1", "call-3"]))
    assert rows["output_tokens"].to_list() == [99, 99]
    assert not files_with(data, NAME + '"') and f"'{NAME}'" not in texts_of(data)


def test_what_stands_for_the_forgotten_name_is_salted(tmp_path):
    found = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        data = folder_with(tmp_path / folder)
        forget(data), forget(data, OTHER)
        with sqlite3.connect(data / "manifest.sqlite") as connection:
            found += connection.execute("select digest, salt from forgotten").fetchall()
    assert len({digest for digest, _ in found}) == 4
    assert [len(salt) for _, salt in found] == [32] * 4 and len({salt for _, salt in found}) == 2
    assert not {hashlib.blake2b(NAME.encode(), digest_size=16).hexdigest(), NAME} & {
        one for row in found for one in row
    }


def test_revenue_of_a_forgotten_user_is_refused_with_its_line(tmp_path):
    data = folder_with(tmp_path)
    forget(data)
    (tmp_path / "revenue.csv").write_text(f"feature,user_id,revenue_usd\nreply,{OTHER},1\nreply,{NAME},1\n")
    with pytest.raises(UserError, match=r"revenue\.csv:3: is of somebody who was forgotten") as mistake:
        stages.build(Settings.load(data=data, revenue=tmp_path / "revenue.csv"))
    assert NAME not in str(mistake.value) and not files_with(data, NAME)


def test_a_hashed_user_is_forgotten_by_name_with_the_key_and_stays_so(tmp_path, keyed):
    data = folder_with(tmp_path, hash_users=True)
    late = tmp_path / "late.jsonl"
    with pytest.raises(UserError, match="kept under hashes of their names"):
        forget(data)
    done = forget(data, hash_users=True)
    assert done.found.call_count == 3 and done.proof.places == []
    assert users_of(data) == {None: 3, hashed(OTHER): 3}
    late.write_bytes(jsonl([call(20, NAME), call(21, OTHER, customer_id=NAME), call(22, hashed(NAME))]))
    ingest(data, late, hash_users=True)
    assert users_of(data) == {None: 5, hashed(OTHER): 4}
    assert users_of(data, "customer_id") == {"acme": 8, None: 1}
