-- 60,040 invented rows: 40 staff, 12,000 customers, 18,000 assets, 30,000 visits.
-- Every value is drawn from md5 of a label and the row's number, so no seed, clock or locale matters.

create schema seed;

create function seed.draw(label text, n bigint, sides bigint) returns bigint
language sql immutable as
$$ select ('x' || substr(md5(label || ':' || n), 1, 8))::bit(32)::bigint % sides $$;

create function seed.pick(label text, n bigint, choices text[]) returns text
language sql immutable as
$$ select choices[1 + seed.draw(label, n, cardinality(choices))] $$;

create function seed.given_name(label text, n bigint) returns text
language sql immutable as
$$ select seed.pick(label || ' given', n, array[
    'Éloïse', 'Zoé', 'François', 'Hélène', 'Jérôme', 'Noëlle', 'Benoît', 'Maëlle', 'Gaétan', 'Chloé',
    'André', 'Thérèse', 'Loïc', 'Océane', 'Rémi', 'Margaret', 'Owen', 'Siobhán', 'Harold', 'Priya',
    'Wei', 'Zoë', 'Liam', 'Beatrix', 'José', 'Ingrid', 'Søren', 'Anaïs', 'Kateri', 'Desmond']) $$;

create function seed.family_name(label text, n bigint) returns text
language sql immutable as
$$ select seed.pick(label || ' family', n, array[
    'Lévesque', 'Côté', 'Bélanger', 'Gagné', 'Thériault', 'Pépin', 'Saint-Cyr', 'Bîrsan', 'D’Amours', 'L’Écuyer',
    'O''Rourke', 'MacIntyre', 'Nguyễn', 'Müller', 'Ångström', 'Fairweather', 'de la Durantaye', 'Tkachenko',
    'Ashworth', 'Ouellette', 'Quesnel', 'Wojciechowska', 'Haddad', 'Peña', 'Sauvé']) $$;

insert into workshop.staff
select
    n,
    seed.given_name('staff', n) || ' ' || seed.family_name('staff', n),
    'staff' || n || '@atelier.example',
    case seed.draw('staff languages', n, 3)
        when 0 then '{fr}' when 1 then '{en}' else '{fr,en}' end::workshop.language[],
    seed.draw('staff active', n, 8) > 0,
    round((2800 + seed.draw('staff rate', n, 6000)) / 100.0, 2),
    date '2004-03-01' + seed.draw('staff hired', n, 7000)::int,
    jsonb_build_object(
        'tuning', seed.draw('staff tuning', n, 5) + 1,
        'voicing', seed.draw('staff voicing', n, 5) + 1,
        'certificates', case when seed.draw('staff certified', n, 2) = 0 then '[]'::jsonb
            else '["harmonisation", "régulation"]'::jsonb end)
from generate_series(1, 40) as n;

insert into workshop.customers
select
    md5('customer:' || n)::uuid,
    md5('reference:' || n)::uuid,
    kind::workshop.customer_kind,
    case kind
        when 'person' then given || ' ' || family
        when 'household' then given || ' et ' || seed.given_name('spouse', n) || ' ' || family
        else seed.pick('institution', n, array[
            'École de musique', 'Conservatoire', 'Église Sainte-Cécile', 'Théâtre', 'Community Hall',
            'Cégep', 'St. Brigid’s School', 'Hôtel'])
            || ' ' || family
    end,
    case when seed.draw('customer mail', n, 10) > 0 then 'client' || n || '@courriel.example' end,
    -- Numbers reserved for fiction.
    case when seed.draw('customer phone', n, 5) > 0
        then '+1514555' || lpad((100 + seed.draw('customer number', n, 100))::text, 4, '0') end,
    seed.pick('customer language', n, '{fr,fr,fr,en}')::workshop.language,
    jsonb_build_object(
        'street', (1 + seed.draw('street number', n, 9000)) || ', ' || seed.pick('street', n, array[
            'rue de l’Étang', 'chemin des Érables', 'Main Street', 'avenue du Collège', 'boulevard Saint-Joseph']),
        'city', seed.pick('city', n, array[
            'Montréal', 'Québec', 'Trois-Rivières', 'Sherbrooke', 'Châteauguay', 'Hudson', 'L’Île-Perrot']),
        'unit', case when seed.draw('unit', n, 4) = 0 then to_jsonb('app. ' || seed.draw('door', n, 40)) end,
        'floors', seed.draw('floors', n, 4)),
    case seed.draw('customer tags', n, 6)
        when 0 then '{}' when 1 then '{fidèle}' when 2 then '{"à rappeler",fidèle}'
        when 3 then '{concert}' when 4 then '{VIP,"paie comptant",été}' else '{école,"deux pianos"}'
    end::text[],
    seed.draw('customer active', n, 12) > 0,
    round((seed.draw('balance', n, 200000) - 40000) / 100.0, 2),
    date '1998-01-01' + seed.draw('since', n, 9500)::int,
    case when seed.draw('prefers', n, 3) > 0 then 1 + seed.draw('preferred', n, 40) end,
    case seed.draw('customer notes', n, 5)
        when 0 then 'Sonner deux fois ; le chien est gentil.'
        when 1 then ''
        when 2 then E'Key is under the pot.\nAppeler avant 9 h — « pas le lundi ».'
    end,
    timestamptz '2011-01-01 00:00:00+00'
        + make_interval(secs => seed.draw('customer created', n, 400000000) + seed.draw('customer micros', n, 1000000) / 1e6)
from generate_series(1, 12000) as n
cross join lateral (
    select
        seed.pick('customer kind', n, '{person,person,person,person,household,household,institution}') as kind,
        seed.given_name('customer', n) as given,
        seed.family_name('customer', n) as family
) as drawn;

insert into workshop.assets
select
    1000000 + n,
    case when seed.draw('in stock', n, 20) > 0
        then md5('customer:' || (1 + seed.draw('owner', n, 12000)))::uuid end,
    seed.pick('make', n, array['Delacroix & Fils', 'Hérault', 'Northwind', 'Königsberger', 'Lesage-Aubert', 'Tamarack']),
    case when seed.draw('modelled', n, 6) > 0
        then seed.pick('model', n, '{A,B,U1,M-145,"Grand 7","Étude",Console}') end,
    case when seed.draw('numbered', n, 5) > 0 then (10000 + seed.draw('serial', n, 900000))::text end,
    case when seed.draw('dated', n, 4) > 0 then 1880 + seed.draw('built', n, 144)::int end,
    jsonb_build_object(
        'finish', seed.pick('finish', n, array['ébène', 'noyer', 'acajou', 'white', 'chêne clair']),
        'size', jsonb_build_object('cm', 105 + seed.draw('size', n, 170)),
        'keys', seed.pick('keys', n, '{88,88,88,85}')::int,
        'player', seed.draw('player', n, 15) = 0,
        'history', case when seed.draw('restored', n, 9) = 0 then '["restauré", null, "restrung"]'::jsonb
            else '[]'::jsonb end),
    seed.draw('rental', n, 10) = 0,
    case when seed.draw('appraised', n, 3) > 0 then round((50000 + seed.draw('value', n, 9000000)) / 100.0, 2) end,
    case when seed.draw('acquired', n, 3) > 0 then date '1975-06-15' + seed.draw('acquired on', n, 18000)::int end,
    timestamptz '2012-06-01 00:00:00+00' + make_interval(secs => seed.draw('asset created', n, 380000000))
from generate_series(1, 18000) as n;

-- 6,000 visits go to 240 concert instruments, about 25 each; the others are spread thin.
insert into workshop.visits
select
    9007199254740992 + n,
    1000000 + case when n % 5 = 0 then 1 + seed.draw('concert asset', n, 240)
        else 1 + seed.draw('visited asset', n, 18000) end,
    -- 41, 42 and 43 have left and have no row any more.
    case seed.draw('visited by', n, 500)
        when 0 then null when 1 then 41 when 2 then 42 when 3 then 43
        else 1 + seed.draw('visitor', n, 40) end,
    case when seed.draw('invoiced', n, 3) > 0 then 9223372036000000000 + seed.draw('invoice', n, 700000000) end,
    seed.pick('visit state', n, '{done,done,done,done,planned,cancelled,no_show}')::workshop.visit_state,
    -- Around the nights when clocks change as well.
    timestamptz '2014-03-09 06:30:00+00' + make_interval(mins => (15 * seed.draw('visit start', n, 430000))::int),
    case when seed.draw('timed', n, 6) > 0 then make_interval(mins => (30 + 15 * seed.draw('length', n, 12))::int) end,
    case when seed.draw('measured', n, 4) = 0 then round((1500 + seed.draw('temperature', n, 1200)) / 100.0, 2) end,
    case when seed.draw('measured', n, 4) = 0 then round((1800 + seed.draw('humidity', n, 5200)) / 100.0, 2) end,
    case when seed.draw('priced', n, 5) > 0 then round((9000 + 5 * seed.draw('price', n, 6000)) / 100.0, 2) end,
    case seed.draw('work', n, 5)
        when 0 then '{}' when 1 then '{accord}' when 2 then '{accord,réglage}'
        when 3 then '{tuning,voicing}' else '{"remplacé 2 cordes",accord}'
    end::text[],
    case seed.draw('summary', n, 6)
        when 0 then 'Accord à 440 Hz, humidité élevée.'
        when 1 then 'Pitch raised 12 cents; come back in June.'
        when 2 then ''
        when 3 then E'Marteaux usés 🎹\n"à suivre"'
    end
from generate_series(1, 30000) as n;

drop schema seed cascade;
analyze;
