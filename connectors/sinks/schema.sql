-- Tables of rasd.sqlite. `json` holds a record whole, as it was sent; the other columns are there to search and count by.
-- Times are ISO 8601 UTC, days YYYY-MM-DD, spans count Unicode code points of title + two line breaks + body.

CREATE TABLE articles (            -- texts that were read, every revision
    id TEXT NOT NULL, revision INTEGER NOT NULL,
    verdict TEXT NOT NULL,         -- unique or revision
    title TEXT, body TEXT NOT NULL,
    url TEXT, canonical_url TEXT, outlet TEXT, feed TEXT, language TEXT, author TEXT,
    published TEXT, published_basis TEXT NOT NULL, updated TEXT, fetched TEXT,
    partial INTEGER NOT NULL,      -- 1: only a feed's summary was to be had
    source_id TEXT, content_hash TEXT NOT NULL, archive_file TEXT, archive_offset INTEGER, archive_length INTEGER,
    PRIMARY KEY (id, revision)) STRICT;

CREATE TABLE verdicts (            -- what deduplication says, duplicates included
    article_id TEXT NOT NULL, revision INTEGER NOT NULL,
    verdict TEXT NOT NULL, of_article TEXT, cluster TEXT, origin TEXT, similarity REAL,
    json TEXT NOT NULL,
    PRIMARY KEY (article_id, revision)) STRICT;

CREATE TABLE codings (             -- what the extractor made of each article revision, every generation
    article_id TEXT NOT NULL, revision INTEGER NOT NULL, generation INTEGER NOT NULL,
    newest INTEGER NOT NULL,       -- 1: this one holds for its article
    abstained INTEGER NOT NULL, reason TEXT, events INTEGER NOT NULL, tolls INTEGER NOT NULL,
    extractor TEXT NOT NULL, version TEXT NOT NULL, lexicon TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (article_id, revision, generation)) STRICT;

CREATE TABLE events (              -- one row an event: the newest that was said of it
    id TEXT NOT NULL PRIMARY KEY,
    retracted INTEGER NOT NULL,    -- 1: the newest coding of its article no longer lists it
    retracted_revision INTEGER, retracted_generation INTEGER,
    article_id TEXT NOT NULL, revision INTEGER NOT NULL, generation INTEGER NOT NULL,
    realis TEXT NOT NULL,          -- reported, recap, planned, hypothetical, denied
    event_type TEXT NOT NULL, sub_event_type TEXT NOT NULL,
    date_start TEXT, date_end TEXT, date_precision TEXT NOT NULL, date_basis TEXT NOT NULL,
    place TEXT, country TEXT, admin1 TEXT, lat REAL, lon REAL,   -- the most specific place; all: table places
    civilian_targeting INTEGER NOT NULL,
    quote TEXT,                    -- the clause that states it
    confidence REAL NOT NULL,
    url TEXT, outlet TEXT, language TEXT, published TEXT,
    json TEXT NOT NULL) STRICT;
CREATE INDEX events_article ON events (article_id);
CREATE INDEX events_date ON events (date_start);

CREATE TABLE tolls (               -- running totals: never add them to events, nor to each other
    id TEXT NOT NULL PRIMARY KEY,
    retracted INTEGER NOT NULL, retracted_revision INTEGER, retracted_generation INTEGER,
    article_id TEXT NOT NULL, revision INTEGER NOT NULL, generation INTEGER NOT NULL,
    period_start TEXT, period_end TEXT,
    place TEXT, country TEXT, admin1 TEXT, lat REAL, lon REAL,
    quote TEXT, confidence REAL NOT NULL,
    url TEXT, outlet TEXT, language TEXT, published TEXT,
    json TEXT NOT NULL) STRICT;
CREATE INDEX tolls_article ON tolls (article_id);

-- The five tables below hold rows only of events and tolls that stand; what was retracted keeps its `json`.
-- record: 'event' or 'toll'; record_id: its id; idx: position in the record's list, from 0.

CREATE TABLE claims (              -- statements of a number of people; sum only where view current_claims says countable
    record_id TEXT NOT NULL, idx INTEGER NOT NULL, record TEXT NOT NULL, article_id TEXT NOT NULL,
    outcome TEXT NOT NULL, count INTEGER, unit TEXT NOT NULL, low INTEGER, high INTEGER, hedge TEXT NOT NULL,
    group_ids TEXT NOT NULL,       -- sides whose people they are: ids in order, with commas; one by one: claim_groups
    group_names TEXT NOT NULL, category TEXT NOT NULL,
    part_of INTEGER,               -- idx of the larger claim that includes this one
    primary_ INTEGER NOT NULL,     -- 1: the one claim for its outcome and side
    sources TEXT NOT NULL,         -- idx of the speakers in table sources, with commas
    span_start INTEGER NOT NULL, span_end INTEGER NOT NULL, quote TEXT, mentions INTEGER NOT NULL,
    PRIMARY KEY (record_id, idx)) STRICT;

CREATE TABLE claim_groups (
    record_id TEXT NOT NULL, idx INTEGER NOT NULL, n INTEGER NOT NULL,
    actor_id TEXT NOT NULL, coarse TEXT, name TEXT, text TEXT,
    PRIMARY KEY (record_id, idx, n)) STRICT;

CREATE TABLE places (
    record_id TEXT NOT NULL, idx INTEGER NOT NULL, record TEXT NOT NULL,
    text TEXT NOT NULL, name TEXT, country TEXT, admin1 TEXT, lat REAL, lon REAL, precision TEXT, radius_km REAL,
    gazetteer_id TEXT, span_start INTEGER NOT NULL, span_end INTEGER NOT NULL,
    PRIMARY KEY (record_id, idx)) STRICT;

CREATE TABLE actors (
    record_id TEXT NOT NULL, idx INTEGER NOT NULL,
    role TEXT NOT NULL, actor_id TEXT NOT NULL, coarse TEXT, name TEXT, kind TEXT NOT NULL,
    text TEXT NOT NULL, span_start INTEGER NOT NULL, span_end INTEGER NOT NULL,
    PRIMARY KEY (record_id, idx)) STRICT;

CREATE TABLE sources (             -- who says so
    record_id TEXT NOT NULL, idx INTEGER NOT NULL, record TEXT NOT NULL,
    name TEXT NOT NULL, source_id TEXT, stance TEXT NOT NULL,
    text TEXT NOT NULL, span_start INTEGER NOT NULL, span_end INTEGER NOT NULL,
    PRIMARY KEY (record_id, idx)) STRICT;

CREATE TABLE history (             -- what events and tolls said before, and what late older codings say
    id TEXT NOT NULL, record TEXT NOT NULL, revision INTEGER NOT NULL, generation INTEGER NOT NULL,
    article_id TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (id, record, revision, generation)) STRICT;

CREATE TABLE staged (              -- records whose coding has not arrived yet: not for reading
    article_id TEXT NOT NULL, revision INTEGER NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (article_id, revision, record, id)) STRICT;

CREATE TABLE sink (                -- which log the records came from; not for reading
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, committed INTEGER NOT NULL) STRICT;

-- Views for people.

CREATE VIEW current_articles AS    -- the newest text of each article
SELECT * FROM articles a
WHERE revision = (SELECT max(revision) FROM articles b WHERE b.id = a.id);

CREATE VIEW current_events AS      -- every event that stands, of any realis, with its actors by role
SELECT e.*,
    (SELECT group_concat(actor_id) FROM actors WHERE record_id = e.id AND role = 'attacker') AS attackers,
    (SELECT group_concat(actor_id) FROM actors WHERE record_id = e.id AND role = 'target') AS targets,
    (SELECT group_concat(actor_id) FROM actors WHERE record_id = e.id AND role = 'participant') AS participants
FROM events e
WHERE NOT e.retracted;

-- best: the number as written, else the least that the words bound. least, most: the bounds, null where the words give
-- none («at least 46» has no most, «dozens» neither). countable: what sums may use, and nothing else.
CREATE VIEW current_claims AS
SELECT c.record, c.record_id, c.idx, c.article_id, r.revision, r.realis, r.day, r.country,
    c.outcome, c.count, c.unit, c.low, c.high, c.hedge, c.group_ids, c.group_names, c.category, c.part_of, c.primary_,
    coalesce(c.count, c.low) AS best,
    coalesce(c.low, CASE WHEN c.hedge IN ('at_most', 'less_than') THEN 0 ELSE c.count END) AS least,
    coalesce(c.high, CASE WHEN c.hedge NOT IN ('at_least', 'more_than') THEN c.count END) AS most,
    c.record = 'event' AND r.realis = 'reported' AND c.primary_ AND c.part_of IS NULL AND c.unit = 'person'
        AS countable,
    c.sources, c.span_start, c.span_end,
    coalesce(c.quote, (
        SELECT substr(coalesce(nullif(a.title, '') || char(10, 10), '') || a.body,
                      c.span_start + 1, c.span_end - c.span_start)
        FROM articles a WHERE a.id = c.article_id AND a.revision = r.revision)) AS quote
FROM claims c
JOIN (
    SELECT 'event' AS record, id, revision, realis, date_start AS day, country FROM events WHERE NOT retracted
    UNION ALL
    SELECT 'toll', id, revision, NULL, period_end, country FROM tolls WHERE NOT retracted
) r ON r.record = c.record AND r.id = c.record_id;

-- Reported events that stand. An incident that several articles tell counts once for each of them.
-- Read `day` together with `precision`: a «month» stands under its first day.
CREATE VIEW events_by_day AS
SELECT e.date_start AS day, e.date_precision AS precision, e.country, e.event_type, count(*) AS events,
    coalesce(sum(k.killed), 0) AS killed, coalesce(sum(k.killed_low), 0) AS killed_low,
    coalesce(sum(k.killed_high), 0) AS killed_high,
    coalesce(sum(k.killed_open), 0) AS killed_open,   -- claims without an upper bound: above, by the best we know
    coalesce(sum(k.injured), 0) AS injured
FROM events e
LEFT JOIN (
    SELECT record_id,
        sum(iif(outcome = 'killed', best, NULL)) AS killed,
        sum(iif(outcome = 'killed', least, NULL)) AS killed_low,
        sum(iif(outcome = 'killed', coalesce(most, best), NULL)) AS killed_high,
        sum(outcome = 'killed' AND most IS NULL) AS killed_open,
        sum(iif(outcome = 'injured', best, NULL)) AS injured
    FROM current_claims WHERE countable AND outcome IN ('killed', 'injured') GROUP BY record_id
) k ON k.record_id = e.id
WHERE e.realis = 'reported' AND NOT e.retracted
GROUP BY 1, 2, 3, 4;

-- Deaths that reported events state, by the side whose people they are; joint claims («both sides») stand apart, and
-- side is null where nobody says whose they are. Never the tolls.
CREATE VIEW deaths_by_side AS
SELECT nullif(group_ids, '') AS side, max(group_names) AS names,
    count(DISTINCT record_id) AS events, count(*) AS claims,
    coalesce(sum(best), 0) AS killed, coalesce(sum(least), 0) AS killed_low,
    coalesce(sum(coalesce(most, best)), 0) AS killed_high,
    sum(most IS NULL) AS killed_open
FROM current_claims
WHERE countable AND outcome = 'killed'
GROUP BY 1;

CREATE VIEW versions AS            -- everything ever said of an event or toll, newest and older
SELECT id, 'event' AS record, revision, generation, article_id, NOT retracted AS current, json FROM events
UNION ALL
SELECT id, 'toll', revision, generation, article_id, NOT retracted, json FROM tolls
UNION ALL
SELECT id, record, revision, generation, article_id, 0, json FROM history;
