-- What only MySQL has; versioned comments leave out what an older one does not know.
SET NAMES utf8mb4;
USE shop;
CREATE TABLE documents (id INT PRIMARY KEY, j JSON);
INSERT INTO documents VALUES (1, '{"a": [1, 2.5, "é\\n", null, true], "b": {"c": "😀"}}'), (2, '"text"'), (3, 'null'), (4, NULL), (5, '12345678901234567890');
/*!80013 CREATE TABLE functional (id INT PRIMARY KEY, a VARCHAR(20), j JSON, KEY low ((LOWER(a))), UNIQUE KEY up ((UPPER(a)))) */;
/*!80013 INSERT INTO functional VALUES (1, 'Abc', '{"x": 1}'), (2, 'Def', NULL) */;
/*!80023 CREATE TABLE hidden (id INT PRIMARY KEY, v INT INVISIBLE, w INT, KEY k (w) INVISIBLE) */;
/*!80023 INSERT INTO hidden (id, v, w) VALUES (1, 10, 100), (2, NULL, NULL) */;
/*!80013 CREATE TABLE computed (id INT PRIMARY KEY, u VARCHAR(40) DEFAULT (CONCAT('x', 'y')), d DATE DEFAULT (CURRENT_DATE)) */;
/*!80013 INSERT INTO computed (id) VALUES (1) */;
/*!80016 CREATE TABLE checked (id INT PRIMARY KEY, v INT, CONSTRAINT positive CHECK (v > 0), CONSTRAINT lax CHECK (v < 10) NOT ENFORCED) */;
/*!80016 INSERT INTO checked VALUES (1, 5), (2, 50) */;
/*!80013 CREATE TABLE sorted (id INT PRIMARY KEY, v VARCHAR(20) COLLATE utf8mb4_0900_as_cs, w VARCHAR(20) COLLATE utf8mb4_ja_0900_as_cs, UNIQUE KEY (v, w DESC)) */;
/*!80013 INSERT INTO sorted VALUES (1, 'a', 'あ'), (2, 'A', 'ア'), (3, 'ä', NULL) */;
/*!80013 CREATE TABLE places (id INT PRIMARY KEY, p POINT NOT NULL SRID 4326, SPATIAL KEY (p)) */;
/*!80013 INSERT INTO places VALUES (1, ST_GeomFromText('POINT(10 20)', 4326)) */;
