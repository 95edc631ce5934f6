-- The tables as the first version made them, with runs as it noted them. A line that was released is not changed.

CREATE TABLE @meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE @runs (
    run TEXT PRIMARY KEY, project TEXT NOT NULL, flow TEXT NOT NULL, status TEXT NOT NULL, attempt BIGINT NOT NULL,
    started TEXT NOT NULL, ended TEXT, seconds DOUBLE PRECISION, environment TEXT, program TEXT NOT NULL, plan TEXT NOT NULL,
    given TEXT NOT NULL, kept TEXT NOT NULL, owner TEXT NOT NULL, beat BIGINT NOT NULL, error_code TEXT, error TEXT);

CREATE INDEX runs_of_flow ON @runs (project, flow, run);

CREATE TABLE @plans (plan TEXT PRIMARY KEY, text TEXT NOT NULL);

CREATE TABLE @steps (
    run TEXT NOT NULL, attempt BIGINT NOT NULL, step TEXT NOT NULL, number BIGINT NOT NULL, op TEXT NOT NULL, status TEXT NOT NULL,
    started TEXT NOT NULL, seconds DOUBLE PRECISION NOT NULL, times BIGINT NOT NULL, rows_written BIGINT NOT NULL,
    requests BIGINT NOT NULL, retries BIGINT NOT NULL, bytes BIGINT NOT NULL, waited DOUBLE PRECISION NOT NULL,
    rejects BIGINT NOT NULL, error_code TEXT, error TEXT, because TEXT, PRIMARY KEY (run, attempt, step));

CREATE TABLE @events (run TEXT NOT NULL, number BIGINT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (run, number));

CREATE TABLE @journal (run TEXT NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, step, kind));

CREATE TABLE @locals (run TEXT NOT NULL, frame TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, frame, name));

CREATE TABLE @variables (project TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (project, name));

CREATE TABLE @tokens (project TEXT NOT NULL, name TEXT NOT NULL, token {bytes} NOT NULL, PRIMARY KEY (project, name));

CREATE TABLE @locks (run TEXT PRIMARY KEY, project TEXT NOT NULL, flow TEXT NOT NULL, since TEXT NOT NULL, owner TEXT NOT NULL,
    beat BIGINT NOT NULL, writes TEXT NOT NULL);

CREATE TABLE @chunks (file TEXT NOT NULL, number BIGINT NOT NULL, checksum BIGINT NOT NULL, chunk {bytes} NOT NULL,
    PRIMARY KEY (file, number));

CREATE TABLE @watermarks (file TEXT PRIMARY KEY, value BIGINT NOT NULL, lease BIGINT NOT NULL, boot TEXT NOT NULL);

CREATE TABLE @doubts (run TEXT NOT NULL, step TEXT NOT NULL, number BIGINT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (run, step, number));

CREATE TABLE @marks (project TEXT NOT NULL, name TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (project, name));

INSERT INTO @meta VALUES ('version', '1');

INSERT INTO @meta VALUES ('locks', '2');

INSERT INTO @plans VALUES ('6d67a0', '{}');

INSERT INTO @runs VALUES ('01a21ea5-dec1-7027-a1f1-518c944c2b64', 'v1', 'good', 'done', 1, '2026-11-27T20:15:16.674814Z', '2026-11-27T20:15:16.687626Z', 0.010516, NULL, '0.1.0', '6d67a0', '', '{}', '{"host":"another","boot":"9380148a-2729-4857-b17f-3d00aa379781","space":"pid:[4026531836]","process":5969,"since":1795810515}', 1795810516674, NULL, NULL);

INSERT INTO @runs VALUES ('01a21ea5-df18-72e7-a1d3-88f11b426ad6', 'v1', 'bad', 'failed', 2, '2026-11-27T20:15:16.765108Z', '2026-11-27T20:15:16.804330Z', 0.028103, 'dev', '0.1.0', '6d67a0', '{"day":"2026-01-01"}', '{"count":"eba5ea"}', '{"host":"another","boot":"9380148a-2729-4857-b17f-3d00aa379781","space":"pid:[4026531836]","process":5969,"since":1795810515}', 1795810516764, 'SQ1011', '{"code":"SQ1011","message":"table `nowhere` does not exist in staging","place":{"file":"flows/bad.yaml","line":3,"column":43},"help":"check the table''s name and source, and that the step which fills it ran"}');

INSERT INTO @runs VALUES ('01a21ea6-0000-72e7-a1d3-88f11b426ad6', 'v1', 'bad', 'running', 1, '2026-11-27T20:15:17.000000Z', NULL, NULL, NULL, '0.1.0', '6d67a0', '', '{}', '{"host":"another","boot":"9380148a-2729-4857-b17f-3d00aa379781","space":"pid:[4026531836]","process":5969,"since":1795810515}', 1795810517000, NULL, NULL);

INSERT INTO @steps VALUES ('01a21ea5-df18-72e7-a1d3-88f11b426ad6', 2, 'first', 0, 'print', 'done', '2026-11-27T20:15:16.776783Z', 0.001595, 1, 0, 0, 0, 0, 0.0, 0, NULL, NULL, NULL);

INSERT INTO @steps VALUES ('01a21ea5-df18-72e7-a1d3-88f11b426ad6', 2, 'broken', 1, 'execute', 'failed', '2026-11-27T20:15:16.778843Z', 0.017951, 3, 10, 4, 2, 512, 1.5, 1, 'SQ1011', '{"code":"SQ1011","message":"table `nowhere` does not exist in staging","place":{"file":"flows/bad.yaml","line":3,"column":43},"help":"check the table''s name and source, and that the step which fills it ran"}', NULL);

INSERT INTO @events VALUES ('01a21ea5-df18-72e7-a1d3-88f11b426ad6', 4294967298, '{"version":1,"run":"01a21ea5-df18-72e7-a1d3-88f11b426ad6","at":"2026-11-27T20:15:16.677227208Z","step":"first","attempt":1,"event":"step_started","op":"print","title":null,"depth":0}');

INSERT INTO @journal VALUES ('01a21ea5-df18-72e7-a1d3-88f11b426ad6', 'first', 'over', '');

INSERT INTO @journal VALUES ('01a21ea5-df18-72e7-a1d3-88f11b426ad6', 'loop', 'rounds', '3');

INSERT INTO @variables VALUES ('v1', 'count', '3');

INSERT INTO @locks VALUES ('01a21ea6-0000-72e7-a1d3-88f11b426ad6', 'v1', 'bad', '2026-11-27T20:15:17.000000Z', '{"host":"another","boot":"9380148a-2729-4857-b17f-3d00aa379781","space":"pid:[4026531836]","process":5969,"since":1795810515}', 1795810517000, '[{"variable":"count"}]');

INSERT INTO @doubts VALUES ('01a21ea5-df18-72e7-a1d3-88f11b426ad6', 'push', 7, '{"id":7}');
