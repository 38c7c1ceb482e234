-- What the functions' role may write can be read back: an instant that the program has no form for, or a list that is none, would end
-- each later reading of the newest rows. Rows from before stay as they are.
--
-- reconciliation_runs.detail: a list of objects, each with the id of a user, whose other members are texts and numbers of 53 bits.

ALTER TABLE score_history
    ADD CONSTRAINT score_history_created_at_check CHECK (created_at BETWEEN '0001-01-02' AND '9999-12-30') NOT VALID;

ALTER TABLE reconciliation_runs
    ADD CONSTRAINT reconciliation_runs_started_at_check
    CHECK (started_at BETWEEN '0001-01-02Z' AND '9999-12-30Z') NOT VALID,
    ADD CONSTRAINT reconciliation_runs_detail_check
    CHECK (
        jsonb_typeof(detail) = 'array'
        AND octet_length(CAST(detail AS text)) <= 1048576
        AND NOT detail @? '$[*] ? (@.type() != "object" || !exists (@.userId ? (@.type() == "string")))'
        AND NOT detail @? '$[*].* ? (@.type() == "array" || @.type() == "object")'
        AND NOT detail @? '$[*].* ? (@ > 9007199254740991 || @ < -9007199254740991)'
    ) NOT VALID;
