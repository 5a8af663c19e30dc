"""The tables of the manifest, and how those of an earlier version become today's."""

SCHEMA_NUMBER = 5  # told by SQLite's user_version
TABLES = """
create table version (id integer primary key, at text);
create table run (
    run_id integer primary key, kind text, started_at text, ended_at text, status text, version integer,
    price_book_hash text, line_count integer, call_count integer);
create table file (
    path text primary key, kind text, day text, row_count integer, byte_count integer, hash text,
    added integer, removed integer);
create table content (
    content_id integer primary key, kind text, shape text, reading_digest text, path text,
    head_length integer, head_hash text, line_count integer, call_line_count integer, other_line_count integer,
    blank_line_count integer, quarantined_line_count integer, byte_count integer,
    first_seen_at text, last_taken_at text, pruned_line_count integer not null default 0);
create table segment (
    content_id integer, from_byte integer, to_byte integer, line_count integer, prefix_hash text, is_open integer,
    version integer, primary key (content_id, to_byte));
create table seen (path text, kind text, state text, scanned_ns integer, primary key (path, kind));
create table price_row (row text);
create table price_ref (ref text primary key, asked_at text);
create table build (id integer primary key, inputs text, catalogue text, version integer, at text);
create table input (id integer primary key, kind text, name text, content blob, hash text, at text);
"""
# `night`: one row for each nightly run. `alert`: one for each condition that somebody is to be told of, for as long as
# it holds. `erasure`: rows that are no longer in the ledger, until no file that held them is left either.
NIGHTS = """
create table night (
    night_id integer primary key, day text, started_at text, ended_at text, status text, reason text,
    file_count integer, line_count integer, call_count integer, quarantined_count integer, catalogue text,
    was_accepted integer);
create table alert (
    alert_id integer primary key, key text, kind text, day text, dimension text, name text, text text, impact_usd text,
    first_at text, last_at text, ended_at text, due_at text, sent_to text, sent_at text);
create table erasure (erasure_id integer primary key, kind text, version integer, at text, done_at text);
"""
# `forgotten`: who is to stay out, under salted hashes of their names. `user_key`: the fingerprint of the key that users
# are hashed with, since they are. See users.py
FORGOTTEN = """
create table forgotten (digest text primary key, salt text, at text);
create table user_key (fingerprint text primary key, at text);
"""
FROM_3 = f"alter table content add column pruned_line_count integer not null default 0;{NIGHTS}{FORGOTTEN}"
# what brings a manifest of that number to today's; 0: an empty file
CHANGES = {0: TABLES + NIGHTS + FORGOTTEN, 3: FROM_3, 4: FORGOTTEN}
