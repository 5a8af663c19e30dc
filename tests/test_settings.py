"""Settings from the file: mistakes in it are told in a line, and what a reading depends on has a digest."""

import pytest

from pipelines import what_if
from pipelines.errors import UserError
from pipelines.settings import Settings

WRONG = {
    "logs = 5": "[input] logs cannot be 5",
    "logs = [1]": "[input] logs cannot be 1",
    "scenarios = -30": "[input] scenarios cannot be -30",
    'data = ["a"]': "[input] data cannot be ['a']",
    'revenue = ["a"]': "[input] revenue cannot be ['a']",
    "shape = 5": "[input] shape cannot be 5",
    "logs = { a = 1 }": "[input] logs cannot be",
}
WRONG_TABLES = {
    "input = 3": "[input] cannot be 3",
    "log = 5": "[log] cannot be 5",
    "[log]\nx = 5": "[log.x] cannot be 5",
    "[log.x]\nfields = 5": "[log.x] fields cannot be 5",
    "[log.x]\nmatch = 5": "[log.x] match cannot be 5",
    '[log.x]\nopen = ["a"]': "[log.x] open cannot be ['a']",
    "[log.x.fields]\ncalled_at = { path = 'a', unit = [] }": "[log.x] fields called_at unit cannot be []",
    "attribution = 5": "[attribution] cannot be 5",
    "outcomes = 5": "[outcomes] cannot be 5",
    "[outcomes]\nx = 5": "[outcomes.x] cannot be 5",
}


@pytest.mark.parametrize("text", [*WRONG, *WRONG_TABLES])
def test_a_value_of_the_wrong_kind_is_told_with_its_place(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(f"[input]\n{text}\n" if text in WRONG else f"{text}\n")
    with pytest.raises(UserError) as mistake:
        Settings.load(path)
    assert f"c.toml: {(WRONG | WRONG_TABLES)[text]}" in str(mistake.value)
    assert len(str(mistake.value).splitlines()) == 1


@pytest.mark.parametrize(
    "told, share", [('"30%"', "0.3"), ("0.3", "0.3"), ("0", "0"), ('"0.123456"', "0.123456"), ('" 12.5% "', "0.125")]
)
def test_a_target_margin_is_a_share(tmp_path, told, share):
    path = tmp_path / "c.toml"
    path.write_text(f"[economics]\ntarget_margin = {told}\n")
    assert Settings.load(path).target_margin_share == share


@pytest.mark.parametrize("told", ["1", '"100%"', "30", '"-1%"', '"thirty"', "true", "[0.3]", "nan", "inf", "0.1234567"])
def test_a_target_margin_that_is_none_is_told(tmp_path, told):
    path = tmp_path / "c.toml"
    path.write_text(f"[economics]\ntarget_margin = {told}\n")
    with pytest.raises(UserError, match=r"c.toml: \[economics\] target_margin cannot be .*; give a share of"):
        Settings.load(path)


def test_an_unknown_economics_setting_is_told(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[economics]\ntarget = 0.3\n")
    with pytest.raises(UserError, match=r"\[economics\] has no setting 'target'; known are target_margin"):
        Settings.load(path)


def test_paths_are_relative_to_the_file_and_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "c.toml"
    path.write_text('[input]\nlogs = ["a", "~/b"]\ndata = "~/d"\nrevenue = "r.csv"\n')
    settings = Settings.load(path)
    assert settings.logs == (str(tmp_path / "a"), str(tmp_path / "home" / "b"))
    assert (settings.data, settings.revenue) == (tmp_path / "home" / "d", tmp_path / "r.csv")


def digest(kind: str = "calls", shape: str = "mine", **tables) -> str:
    return Settings(**tables).reading_digest(kind, shape)


def test_the_digest_tells_what_a_reading_depends_on_and_nothing_else():
    mine, other = {"mine": {"fields": {"model": "m"}}}, {"other": {"fields": {"model": "m"}}}
    assert digest(log_mappings=mine) == digest(log_mappings=mine | other, scenarios=("-1%",))
    assert digest(log_mappings=mine) != digest(log_mappings={"mine": {"fields": {"model": "n"}}})
    assert digest(attribution={"feature": "a"}) != digest(attribution={"feature": "b"}) != digest()
    assert digest(attribution={"feature": {"path": "a"}}) != digest()
    assert digest(attribution={"mine": {"feature": "a"}}) != digest()
    assert digest(attribution={"other": {"feature": "a"}}) == digest()
    assert digest("outcomes", outcome_mappings=mine) != digest("outcomes")
    assert digest("outcomes", attribution={"feature": "a"}, log_mappings=mine) == digest("outcomes")
    assert digest(shape="a") != digest(shape="b")


def test_a_file_of_scenarios_is_found_from_the_settings_file(tmp_path):
    (tmp_path / "moves.toml").write_text("[scenarios.hike]\nchange = '+5%'\n")
    config = tmp_path / "tokenspread.toml"
    config.write_text("[input]\nscenarios = ['-30%', 'moves.toml']\n")
    assert [scenario.name for scenario in what_if.chosen(Settings.load(config))] == ["-30%", "hike"]
