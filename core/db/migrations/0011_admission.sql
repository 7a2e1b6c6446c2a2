-- compatible_from: 1
--
-- What decides in which class a player waits for a seat.

-- Given by operators, such as staff or supporter; null for everybody else.
alter table players add column admission_class text
  check (admission_class ~ '^[a-z][a-z0-9-]{0,31}$');

-- When the newest session that got a seat got it, and when its connection was lost for good.
alter table sessions add column placed_at timestamptz;
alter table sessions add column dropped_at timestamptz;
