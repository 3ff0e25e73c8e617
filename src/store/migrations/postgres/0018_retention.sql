-- retention: nothing yet
SELECT 1;
