-- search: nothing yet
SELECT 1;
