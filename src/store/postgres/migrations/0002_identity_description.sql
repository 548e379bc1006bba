-- What an identity is for, in its operator's words. Going down loses the descriptions; the log keeps them.

-- up
ALTER TABLE identity ADD COLUMN description text NOT NULL DEFAULT '';

-- down
ALTER TABLE identity DROP COLUMN description;

-- objects
column identity.description text not null collate default default ''::text
