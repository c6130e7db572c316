-- Tables of the postgres sink, in the schema that postgres.schema names: the same tables and columns as in rasd.sqlite.
-- Ids are compared byte by byte (COLLATE "C"), whatever language the database sorts by: faster, and the same everywhere.

CREATE TABLE articles (
    id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    verdict text NOT NULL,
    title text,
    body text NOT NULL,
    url text,
    canonical_url text,
    outlet text,
    feed text,
    language text,
    author text,
    published timestamptz,
    published_basis text NOT NULL,
    updated timestamptz,
    fetched timestamptz,
    partial boolean NOT NULL,
    source_id text,
    content_hash text NOT NULL,
    archive_file text,
    archive_offset bigint,
    archive_length bigint,
    PRIMARY KEY (id, revision));
COMMENT ON TABLE articles IS 'Texts that were read, every revision.';
COMMENT ON COLUMN articles.id IS 'The same over all revisions.';
COMMENT ON COLUMN articles.revision IS '1 for the first text under this id, counted up at every change.';
COMMENT ON COLUMN articles.verdict IS 'unique or revision.';
COMMENT ON COLUMN articles.title IS 'Headline, unaltered.';
COMMENT ON COLUMN articles.body IS 'Text under the headline.';
COMMENT ON COLUMN articles.url IS 'Address as fetched.';
COMMENT ON COLUMN articles.canonical_url IS 'Address without tracking parameters.';
COMMENT ON COLUMN articles.outlet IS 'Who published it.';
COMMENT ON COLUMN articles.feed IS 'Feed that announced it.';
COMMENT ON COLUMN articles.language IS 'ISO 639-1.';
COMMENT ON COLUMN articles.author IS 'Author line.';
COMMENT ON COLUMN articles.published IS 'Publication; null if nobody says.';
COMMENT ON COLUMN articles.published_basis IS 'Who says when it was published.';
COMMENT ON COLUMN articles.updated IS 'Last change as the page states it.';
COMMENT ON COLUMN articles.fetched IS 'When it was fetched.';
COMMENT ON COLUMN articles.partial IS 'Only a feed''s summary was to be had.';
COMMENT ON COLUMN articles.source_id IS 'Id that a foreign archive gave it.';
COMMENT ON COLUMN articles.content_hash IS 'Hash of headline and body: tells revisions apart.';
COMMENT ON COLUMN articles.archive_file IS 'Where its raw bytes lie.';
COMMENT ON COLUMN articles.archive_offset IS 'Offset of the raw bytes.';
COMMENT ON COLUMN articles.archive_length IS 'Length of the raw bytes.';

CREATE TABLE verdicts (
    article_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    verdict text NOT NULL,
    of_article text,
    cluster text,
    origin text,
    similarity double precision,
    json json NOT NULL,
    PRIMARY KEY (article_id, revision));
COMMENT ON TABLE verdicts IS 'What deduplication says of each article revision, duplicates included.';
COMMENT ON COLUMN verdicts.article_id IS 'The article judged.';
COMMENT ON COLUMN verdicts.revision IS 'Its revision.';
COMMENT ON COLUMN verdicts.verdict IS 'unique, exact_duplicate, near_duplicate, syndicated or revision.';
COMMENT ON COLUMN verdicts.of_article IS 'Article that it repeats or revises.';
COMMENT ON COLUMN verdicts.cluster IS 'Id of the story''s first article.';
COMMENT ON COLUMN verdicts.origin IS 'Agency credited with the text.';
COMMENT ON COLUMN verdicts.similarity IS '0..1, share of text in common.';
COMMENT ON COLUMN verdicts.json IS 'The record whole, to the byte.';

CREATE TABLE codings (
    article_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    generation bigint NOT NULL,
    newest boolean NOT NULL,
    abstained boolean NOT NULL,
    reason text,
    events bigint NOT NULL,
    tolls bigint NOT NULL,
    extractor text NOT NULL,
    version text NOT NULL,
    lexicon text NOT NULL,
    json json NOT NULL,
    PRIMARY KEY (article_id, revision, generation));
COMMENT ON TABLE codings IS 'What the extractor made of each article revision, every generation.';
COMMENT ON COLUMN codings.article_id IS 'The article read.';
COMMENT ON COLUMN codings.revision IS 'Its revision.';
COMMENT ON COLUMN codings.generation IS 'Order of releases of extractor and lexicon.';
COMMENT ON COLUMN codings.newest IS 'This one holds for its article.';
COMMENT ON COLUMN codings.abstained IS 'Nothing was coded.';
COMMENT ON COLUMN codings.reason IS 'Why nothing was coded.';
COMMENT ON COLUMN codings.events IS 'How many events it lists.';
COMMENT ON COLUMN codings.tolls IS 'How many running totals it lists.';
COMMENT ON COLUMN codings.extractor IS 'What read the text.';
COMMENT ON COLUMN codings.version IS 'Its version.';
COMMENT ON COLUMN codings.lexicon IS 'Hash of its data files.';
COMMENT ON COLUMN codings.json IS 'The record whole, to the byte.';

CREATE TABLE events (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    retracted boolean NOT NULL,
    retracted_revision bigint,
    retracted_generation bigint,
    article_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    generation bigint NOT NULL,
    realis text NOT NULL,
    event_type text NOT NULL,
    sub_event_type text NOT NULL,
    date_start date,
    date_end date,
    date_precision text NOT NULL,
    date_basis text NOT NULL,
    place text,
    country text,
    admin1 text,
    lat double precision,
    lon double precision,
    civilian_targeting boolean NOT NULL,
    quote text,
    confidence double precision NOT NULL,
    url text,
    outlet text,
    language text,
    published timestamptz,
    json json NOT NULL);
CREATE INDEX events_article ON events (article_id);
CREATE INDEX events_date ON events (date_start);
COMMENT ON TABLE events IS 'One row an event: the newest that was said of it.';
COMMENT ON COLUMN events.retracted IS 'The newest coding of its article no longer lists it.';
COMMENT ON COLUMN events.retracted_revision IS 'Revision of the coding that took it back.';
COMMENT ON COLUMN events.retracted_generation IS 'Generation of the coding that took it back.';
COMMENT ON COLUMN events.article_id IS 'The article that says so.';
COMMENT ON COLUMN events.revision IS 'Revision of the article.';
COMMENT ON COLUMN events.generation IS 'Generation of the coding.';
COMMENT ON COLUMN events.realis IS 'reported, recap, planned, hypothetical or denied: only reported is news of something that happened.';
COMMENT ON COLUMN events.event_type IS 'Event type of ACLED''s codebook.';
COMMENT ON COLUMN events.sub_event_type IS 'Sub-event type of ACLED''s codebook.';
COMMENT ON COLUMN events.date_start IS 'First day; read it together with date_precision.';
COMMENT ON COLUMN events.date_end IS 'Last day.';
COMMENT ON COLUMN events.date_precision IS 'How exact the day is.';
COMMENT ON COLUMN events.date_basis IS 'What the day was read from.';
COMMENT ON COLUMN events.place IS 'Name of the most specific place; all of them: table places.';
COMMENT ON COLUMN events.country IS 'ISO 3166-1 alpha-2.';
COMMENT ON COLUMN events.admin1 IS 'First-level division.';
COMMENT ON COLUMN events.lat IS 'Latitude of the most specific place.';
COMMENT ON COLUMN events.lon IS 'Longitude of the most specific place.';
COMMENT ON COLUMN events.civilian_targeting IS 'The target is civilians.';
COMMENT ON COLUMN events.quote IS 'The clause that states it.';
COMMENT ON COLUMN events.confidence IS '0..1.';
COMMENT ON COLUMN events.published IS 'When the article was published.';
COMMENT ON COLUMN events.json IS 'The record whole, to the byte; json::jsonb for jsonb operators.';

CREATE TABLE tolls (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    retracted boolean NOT NULL,
    retracted_revision bigint,
    retracted_generation bigint,
    article_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    generation bigint NOT NULL,
    period_start date,
    period_end date,
    place text,
    country text,
    admin1 text,
    lat double precision,
    lon double precision,
    quote text,
    confidence double precision NOT NULL,
    url text,
    outlet text,
    language text,
    published timestamptz,
    json json NOT NULL);
CREATE INDEX tolls_article ON tolls (article_id);
COMMENT ON TABLE tolls IS 'Running totals over a period: never add them to events, nor to each other.';
COMMENT ON COLUMN tolls.retracted IS 'The newest coding of its article no longer lists it.';
COMMENT ON COLUMN tolls.period_start IS 'First day that it covers; null where nobody says.';
COMMENT ON COLUMN tolls.period_end IS 'Last day that it covers.';
COMMENT ON COLUMN tolls.json IS 'The record whole, to the byte.';

CREATE TABLE claims (
    record_id text COLLATE "C" NOT NULL,
    idx bigint NOT NULL,
    record text NOT NULL,
    article_id text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    count bigint,
    unit text NOT NULL,
    low bigint,
    high bigint,
    hedge text NOT NULL,
    group_ids text[] NOT NULL,
    group_names text NOT NULL,
    category text NOT NULL,
    part_of bigint,
    primary_ boolean NOT NULL,
    sources bigint[] NOT NULL,
    span_start bigint NOT NULL,
    span_end bigint NOT NULL,
    quote text,
    mentions bigint NOT NULL,
    PRIMARY KEY (record_id, idx));
COMMENT ON TABLE claims IS 'Numbers of people that events and tolls which stand state. Sum only where view current_claims says countable.';
COMMENT ON COLUMN claims.record_id IS 'The event or toll.';
COMMENT ON COLUMN claims.idx IS 'Position in the record''s list, from 0.';
COMMENT ON COLUMN claims.record IS 'event or toll.';
COMMENT ON COLUMN claims.outcome IS 'What befell them.';
COMMENT ON COLUMN claims.count IS 'The number as written; null for vague words, and for a number that cannot count people.';
COMMENT ON COLUMN claims.unit IS 'person or household.';
COMMENT ON COLUMN claims.low IS 'Lower bound, if the words give one.';
COMMENT ON COLUMN claims.high IS 'Upper bound, if the words give one.';
COMMENT ON COLUMN claims.hedge IS 'How the number is qualified.';
COMMENT ON COLUMN claims.group_ids IS 'Sides whose people they are, in order of their ids; one by one: claim_groups.';
COMMENT ON COLUMN claims.group_names IS 'Their names.';
COMMENT ON COLUMN claims.category IS 'What kind of people.';
COMMENT ON COLUMN claims.part_of IS 'idx of the larger claim that includes this one.';
COMMENT ON COLUMN claims.primary_ IS 'The one claim for its outcome and side.';
COMMENT ON COLUMN claims.sources IS 'idx of the speakers in table sources.';
COMMENT ON COLUMN claims.span_start IS 'Where it stands in title + two line breaks + body, in code points.';
COMMENT ON COLUMN claims.span_end IS 'Where it ends, exclusive.';
COMMENT ON COLUMN claims.quote IS 'Its words, where the evidence holds them.';
COMMENT ON COLUMN claims.mentions IS 'How many other places of the article say the same.';

CREATE TABLE claim_groups (
    record_id text COLLATE "C" NOT NULL,
    idx bigint NOT NULL,
    n bigint NOT NULL,
    actor_id text NOT NULL,
    coarse text,
    name text,
    text text,
    PRIMARY KEY (record_id, idx, n));
COMMENT ON TABLE claim_groups IS 'Sides of a claim, one a row.';
COMMENT ON COLUMN claim_groups.idx IS 'idx of the claim.';
COMMENT ON COLUMN claim_groups.n IS 'Position in the claim''s list, from 0.';
COMMENT ON COLUMN claim_groups.actor_id IS 'The side.';
COMMENT ON COLUMN claim_groups.coarse IS 'Its id on the short list of actors.';

CREATE TABLE places (
    record_id text COLLATE "C" NOT NULL,
    idx bigint NOT NULL,
    record text NOT NULL,
    text text NOT NULL,
    name text,
    country text,
    admin1 text,
    lat double precision,
    lon double precision,
    precision text,
    radius_km double precision,
    gazetteer_id text,
    span_start bigint NOT NULL,
    span_end bigint NOT NULL,
    PRIMARY KEY (record_id, idx));
COMMENT ON TABLE places IS 'Places of events and tolls which stand, the most specific first.';
COMMENT ON COLUMN places.text IS 'The words.';
COMMENT ON COLUMN places.name IS 'Name in the gazetteer.';
COMMENT ON COLUMN places.precision IS 'What kind of place it is.';
COMMENT ON COLUMN places.radius_km IS 'How far from the point the place may reach.';

CREATE TABLE actors (
    record_id text COLLATE "C" NOT NULL,
    idx bigint NOT NULL,
    role text NOT NULL,
    actor_id text NOT NULL,
    coarse text,
    name text,
    kind text NOT NULL,
    text text NOT NULL,
    span_start bigint NOT NULL,
    span_end bigint NOT NULL,
    PRIMARY KEY (record_id, idx));
COMMENT ON TABLE actors IS 'Actors of events which stand.';
COMMENT ON COLUMN actors.role IS 'attacker, target or participant.';
COMMENT ON COLUMN actors.coarse IS 'Id on the short list of actors.';
COMMENT ON COLUMN actors.kind IS 'state, rebel, militia, external, political, civilian or unknown.';
COMMENT ON COLUMN actors.text IS 'The words.';

CREATE TABLE sources (
    record_id text COLLATE "C" NOT NULL,
    idx bigint NOT NULL,
    record text NOT NULL,
    name text NOT NULL,
    source_id text,
    stance text NOT NULL,
    text text NOT NULL,
    span_start bigint NOT NULL,
    span_end bigint NOT NULL,
    PRIMARY KEY (record_id, idx));
COMMENT ON TABLE sources IS 'Who says so.';
COMMENT ON COLUMN sources.stance IS 'asserts, denies or doubts.';
COMMENT ON COLUMN sources.text IS 'The words.';

CREATE TABLE history (
    id text COLLATE "C" NOT NULL,
    record text NOT NULL,
    revision bigint NOT NULL,
    generation bigint NOT NULL,
    article_id text COLLATE "C" NOT NULL,
    json json NOT NULL,
    PRIMARY KEY (id, record, revision, generation));
COMMENT ON TABLE history IS 'What events and tolls said before, and what late older codings say.';

CREATE TABLE staged (
    article_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    record text NOT NULL,
    json json NOT NULL,
    PRIMARY KEY (article_id, revision, record, id));
COMMENT ON TABLE staged IS 'Records whose coding has not arrived yet: not for reading.';

CREATE TABLE sink (
    only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    id text NOT NULL,
    committed boolean NOT NULL);
COMMENT ON TABLE sink IS 'Which log the records came from: not for reading.';

-- Records are 1 to 10 kB of JSON: lz4 packs them several times faster than pglz. Not every server was built with it.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['events', 'tolls', 'codings', 'verdicts', 'history', 'staged'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN json SET COMPRESSION lz4', name);
    END LOOP;
    EXECUTE 'ALTER TABLE articles ALTER COLUMN body SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN
    NULL;
END $$;
