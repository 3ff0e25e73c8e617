-- people: nothing yet
SELECT 1;
