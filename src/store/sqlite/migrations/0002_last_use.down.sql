DROP TABLE last_use;
