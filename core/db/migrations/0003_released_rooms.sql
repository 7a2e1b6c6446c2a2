-- compatible_from: 1
--
-- A room that its owner gave up for its next owner to go on with. It counts as ended, so that it
-- can be claimed, but whoever asks for it meanwhile is asked to wait. A binary that does not know
-- the column finds such rooms ended, as before.

alter table rooms add column released_at timestamptz;
