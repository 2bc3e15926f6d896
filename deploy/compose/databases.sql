-- A database for each service, and one for the payments sandbox's books. Run once, when the server is new.
CREATE DATABASE users OWNER pasar;
CREATE DATABASE inventory OWNER pasar;
CREATE DATABASE orders OWNER pasar;
CREATE DATABASE payments OWNER pasar;
CREATE DATABASE relay OWNER pasar;
CREATE DATABASE sandbox OWNER pasar;
