-- What this service knows of posts, from the events of Post.
CREATE TABLE IF NOT EXISTS known_posts (
    post_id bigint PRIMARY KEY,
    title   varchar(255) NOT NULL,
    deleted boolean NOT NULL DEFAULT false
);

CREATE TABLE IF NOT EXISTS comments (
    id      bigint AUTO_INCREMENT PRIMARY KEY,
    post_id bigint NOT NULL REFERENCES known_posts (post_id),
    author  varchar(255) NOT NULL,
    body    text NOT NULL
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
