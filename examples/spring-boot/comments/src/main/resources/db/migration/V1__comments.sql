-- What this service knows of posts, from the events of Post.
create table known_posts (
    post_id bigint primary key,
    title   varchar(255) not null,
    deleted boolean not null
);

create table comments (
    id      bigint auto_increment primary key,
    post_id bigint not null,
    author  varchar(255) not null,
    body    text not null,
    foreign key (post_id) references known_posts (post_id)
);

create table outbox (
    id             binary(16) primary key,
    aggregate_type varchar(255) not null,
    aggregate_id   varchar(255) not null,
    type           varchar(255) not null,
    payload        json,
    created_at     datetime(6) not null
);

create table processed_events (
    event_id     binary(16) primary key,
    processed_at datetime(6) not null
);
