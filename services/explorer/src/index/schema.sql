-- One row an outcome. The key is when it was decided, then a hash of its id: rows lie in the order of time, however they
-- were learnt, and an id has the same key whenever it is read.
CREATE TABLE results (
    key INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    question_id TEXT NOT NULL,
    -- Names a distinct answer to a question: what a draw for labels is made of. NULL where there is none.
    answer_id TEXT,
    run TEXT,
    subject TEXT,
    verdict TEXT NOT NULL,
    source TEXT,
    error TEXT,
    model TEXT,
    -- Hash of the settings by which the model answered.
    settings TEXT,
    scorer TEXT,
    threshold REAL,
    attempts INTEGER NOT NULL,
    score REAL,
    unsure INTEGER NOT NULL,
    -- Milliseconds, from when it was meant to be asked to its verdict.
    latency INTEGER,
    -- Billionths of a US dollar; NULL where another request paid.
    cost INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    -- Milliseconds since 1970.
    decided_at INTEGER NOT NULL,
    -- The beginnings of the texts; empty once they were forgotten.
    title TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT;

CREATE INDEX by_question ON results (question_id, run);
CREATE INDEX by_run ON results (run, key);
-- Has all that a draw for labels asks.
CREATE INDEX by_answer ON results (answer_id, run, unsure, score);

-- What lists filter by, each combination once; those of a run tell what there is to choose from.
CREATE TABLE facets (
    id INTEGER PRIMARY KEY,
    run TEXT,
    subject TEXT,
    verdict TEXT NOT NULL,
    source TEXT,
    error TEXT,
    attempts INTEGER NOT NULL,
    unsure INTEGER NOT NULL,
    -- The least and the greatest key that has it.
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL
) STRICT;

CREATE INDEX by_facet ON facets (run, subject, verdict, source, error, attempts, unsure);

-- What lists filter and sort by, of all outcomes from one key to the next block's: see packed.rs.
CREATE TABLE blocks (first INTEGER PRIMARY KEY, records BLOB NOT NULL) STRICT;

-- The words of the texts, under the same key; the texts themselves are in MongoDB.
CREATE VIRTUAL TABLE words USING fts5 (
    texts,
    content = '', contentless_delete = 1, detail = none,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'"
);
