-- The database of Comments, its account, and Outferry's: mysql -u root -p < mysql.sql
CREATE DATABASE comments;
CREATE USER comments IDENTIFIED BY 'comments';
GRANT ALL ON comments.* TO comments;
CREATE USER outferry IDENTIFIED BY 'outferry';
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO outferry;
GRANT SELECT ON comments.* TO outferry;
