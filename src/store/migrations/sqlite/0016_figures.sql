-- figures: nothing yet
SELECT 1;
