-- Which calls may two log files both tell of, and so be counted twice?
-- Read: one row for each set of calls of the same instant, user, model and tokens in two or more files; call_ids has the first hundred of call_count; look at one in calls, and leave one of the files out if they are the same.
-- Unknown: they may be different calls; nothing is left out by itself, for no id says that they are one. Calls that share an id were settled when they were read: see duplicate_count in files.
select
    called_at,
    model,
    user_id,
    call_count,
    file_count,
    (call_count - 1) * input_tokens::hugeint as repeated_input_tokens,
    (call_count - 1) * output_tokens::hugeint as repeated_output_tokens,
    call_ids,
from possible_duplicates
order by repeated_input_tokens desc nulls last, called_at, model, user_id
