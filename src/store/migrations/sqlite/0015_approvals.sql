-- approvals: nothing yet
SELECT 1;
