CREATE TABLE IF NOT EXISTS posts (
    id            bigint AUTO_INCREMENT PRIMARY KEY,
    author        varchar(255) NOT NULL,
    title         varchar(255) NOT NULL,
    comment_count bigint NOT NULL DEFAULT 0
);

-- The table that Debezium's Outbox Event Router expects.
CREATE TABLE IF NOT EXISTS outbox (
    id            char(36) PRIMARY KEY,
    aggregatetype varchar(255) NOT NULL,
    aggregateid   varchar(255) NOT NULL,
    type          varchar(255) NOT NULL,
    payload       json
);

CREATE TABLE IF NOT EXISTS processed_events (
    event_id varchar(255) PRIMARY KEY
);
