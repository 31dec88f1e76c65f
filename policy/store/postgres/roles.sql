-- The roles of the shared store (SPEC 15.3). Run it once in the database, as a superuser or as who
-- may make roles; `aclgate store migrate` does so itself where its login may. Nobody logs in as
-- one of these: make a login for each use, and put it in the role.
--
--   CREATE ROLE gw_replica LOGIN PASSWORD '…' IN ROLE aclgate_replica;  -- store.url_file
--   CREATE ROLE gw_admin   LOGIN PASSWORD '…' IN ROLE aclgate_admin;    -- store.admin_url_file
--   CREATE ROLE gw_migrate LOGIN PASSWORD '…' IN ROLE aclgate_owner;    -- store migrate --url-file
DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['aclgate_owner', 'aclgate_admin', 'aclgate_replica'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
    END IF;
  END LOOP;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'aclgate') THEN
    CREATE SCHEMA aclgate AUTHORIZATION aclgate_owner;
    GRANT USAGE ON SCHEMA aclgate TO aclgate_admin, aclgate_replica;
  END IF;
END $$;
