-- Views for people. Sums here never hold running totals (tolls).

CREATE VIEW current_articles AS
SELECT DISTINCT ON (id) * FROM articles ORDER BY id, revision DESC;
COMMENT ON VIEW current_articles IS 'The newest text of each article.';

CREATE VIEW current_events AS
SELECT e.id, e.article_id, e.revision, e.generation, e.realis, e.event_type, e.sub_event_type,
    e.date_start, e.date_end, e.date_precision, e.date_basis,
    e.place, e.country, e.admin1, e.lat, e.lon,
    p.text AS place_text, p.precision AS place_precision, p.radius_km, p.gazetteer_id,
    ARRAY(SELECT a.actor_id FROM actors a WHERE a.record_id = e.id AND a.role = 'attacker' ORDER BY a.idx) AS attackers,
    ARRAY(SELECT a.actor_id FROM actors a WHERE a.record_id = e.id AND a.role = 'target' ORDER BY a.idx) AS targets,
    ARRAY(SELECT a.actor_id FROM actors a WHERE a.record_id = e.id AND a.role = 'participant' ORDER BY a.idx)
        AS participants,
    e.civilian_targeting, e.quote, e.confidence, e.url, e.outlet, e.language, e.published, e.json
FROM events e
LEFT JOIN places p ON p.record_id = e.id AND p.idx = 0 AND p.record = 'event'
WHERE NOT e.retracted;
COMMENT ON VIEW current_events IS 'Every event that stands, of any realis, with its most specific place and its actors by role.';

CREATE VIEW current_claims AS
SELECT c.record, c.record_id, c.idx, c.article_id, r.revision, r.realis, r.day, r.precision, r.country,
    c.outcome, c.count, c.unit, c.low, c.high, c.hedge, c.group_ids, c.group_names, c.category, c.part_of, c.primary_,
    coalesce(c.count, c.low) AS best,
    coalesce(c.low, CASE WHEN c.hedge IN ('at_most', 'less_than') THEN 0 ELSE c.count END) AS least,
    coalesce(c.high, CASE WHEN c.hedge NOT IN ('at_least', 'more_than') THEN c.count END) AS most,
    coalesce(c.record = 'event' AND r.realis = 'reported' AND c.primary_ AND c.part_of IS NULL AND c.unit = 'person',
        false) AS countable,
    c.sources, c.span_start, c.span_end,
    coalesce(c.quote, (
        SELECT substr(coalesce(nullif(a.title, '') || E'\n\n', '') || a.body,
            least(c.span_start, 2000000000)::integer + 1,
            greatest(least(c.span_end - c.span_start, 2000000000), 0)::integer)
        FROM articles a
        WHERE a.id = c.article_id AND a.revision = r.revision AND c.span_start BETWEEN 0 AND c.span_end)) AS quote
FROM claims c
JOIN (
    SELECT 'event' AS record, id, revision, realis, date_start AS day, date_precision AS precision, country
    FROM events WHERE NOT retracted
    UNION ALL
    SELECT 'toll', id, revision, NULL, period_end, NULL, country FROM tolls WHERE NOT retracted
) r ON r.record = c.record AND r.id = c.record_id;
COMMENT ON VIEW current_claims IS 'Claims of events and tolls that stand. Sums may use what is countable, and nothing else.';
COMMENT ON COLUMN current_claims.best IS 'The number as written, else the least that the words bound.';
COMMENT ON COLUMN current_claims.least IS 'Lower bound; null where the words give none.';
COMMENT ON COLUMN current_claims.most IS 'Upper bound; null where the words give none.';
COMMENT ON COLUMN current_claims.countable IS 'A primary claim of persons, part of no other, of a reported event (never of a toll).';

CREATE VIEW events_by_day AS
SELECT e.date_start AS day, e.date_precision AS precision, e.country, e.event_type, count(*) AS events,
    coalesce(sum(k.killed), 0) AS killed, coalesce(sum(k.killed_low), 0) AS killed_low,
    coalesce(sum(k.killed_high), 0) AS killed_high, coalesce(sum(k.killed_open), 0) AS killed_open,
    coalesce(sum(k.injured), 0) AS injured
FROM events e
LEFT JOIN (
    SELECT record_id,
        sum(best) FILTER (WHERE outcome = 'killed') AS killed,
        sum(least) FILTER (WHERE outcome = 'killed') AS killed_low,
        sum(coalesce(most, best)) FILTER (WHERE outcome = 'killed') AS killed_high,
        count(*) FILTER (WHERE outcome = 'killed' AND most IS NULL) AS killed_open,
        sum(best) FILTER (WHERE outcome = 'injured') AS injured
    FROM current_claims WHERE countable AND outcome IN ('killed', 'injured') GROUP BY record_id
) k ON k.record_id = e.id
WHERE e.realis = 'reported' AND NOT e.retracted
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW events_by_day IS 'Reported events that stand. An incident that several articles tell counts once for each of them. A month stands under its first day: read precision.';
COMMENT ON COLUMN events_by_day.killed_open IS 'Claims without an upper bound: where not 0, the true upper end lies above killed_high.';

CREATE VIEW deaths_by_side_and_day AS
SELECT day, precision, country, nullif(group_ids, '{}') AS side, max(group_names) AS names,
    count(DISTINCT record_id) AS events, count(*) AS claims,
    coalesce(sum(best), 0) AS killed, coalesce(sum(least), 0) AS killed_low,
    coalesce(sum(coalesce(most, best)), 0) AS killed_high,
    count(*) FILTER (WHERE most IS NULL) AS killed_open
FROM current_claims
WHERE countable AND outcome = 'killed'
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW deaths_by_side_and_day IS 'Deaths that reported events state, by day, country and the side whose people they are; side is null where nobody says. Running totals are not in it.';

CREATE VIEW deaths_by_side AS
SELECT nullif(group_ids, '{}') AS side, max(group_names) AS names,
    count(DISTINCT record_id) AS events, count(*) AS claims,
    coalesce(sum(best), 0) AS killed, coalesce(sum(least), 0) AS killed_low,
    coalesce(sum(coalesce(most, best)), 0) AS killed_high,
    count(*) FILTER (WHERE most IS NULL) AS killed_open
FROM current_claims
WHERE countable AND outcome = 'killed'
GROUP BY 1;
COMMENT ON VIEW deaths_by_side IS 'The same over all days.';

CREATE VIEW versions AS
SELECT id, 'event' AS record, revision, generation, article_id, NOT retracted AS current, json FROM events
UNION ALL
SELECT id, 'toll', revision, generation, article_id, NOT retracted, json FROM tolls
UNION ALL
SELECT id, record, revision, generation, article_id, false, json FROM history;
COMMENT ON VIEW versions IS 'Everything ever said of an event or toll, newest and older.';
