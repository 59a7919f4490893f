-- Question: which words are suddenly said?
-- Purpose: words of the last seven days that were seldom said in the 21 days before.
-- Grain: one row per word. Reads: mention_public, about. Read by: analysts.
-- Units: counts of distinct texts; `score` is the log-likelihood ratio (T. Dunning, Computational
--   Linguistics 19, 1993, p. 61), 10.8 is one chance in a thousand.
-- Caveat: words end at an apostrophe ("l'eau" is "eau"); French and English words that say
--   nothing by themselves ("toujours", "after") are none. Copies count once. Of many messages a
--   part is read, at most some 50,000 of each span, chosen by the hash of the text. Words of
--   fewer than ten texts are left out: they may name one person. A name can still stand here:
--   do not publish the list as it is.
with thresholds as (
    select
        10 as least_texts,
        50000 as most_texts,
        3 as least_letters
),

function_words as (
    select
        string_split(concat_ws(
            ' ',
            'about after again against ainsi ais ait all aller allez allons alors also always and',
            'ans any anyone anything apres après are assez aucun aucune aujourd aura auraient',
            'aurait auront aussi autant autre autres aux avaient avais avait avant avec avez',
            'avoir avons ayant back beaucoup because been before being ben between bien bon but',
            'can car ceci cela celle celles celui cependant certains ces cet cette ceux chaque',
            'chez comme comment contre could dans day deja depuis des devant devrait did dirait',
            'dire dit does doing doit don donc dont down during dès déjà each elle elles encore',
            'enfin entre envers est etaient etait etre eux even ever every everybody everyone eût',
            'faire fait faites faut fin fois font for from further fut get going got had has have',
            'having her here him his hop how hui ici ils into ira its itself jai jamais jusqu',
            'jusque just juste laquelle lequel les lesquelles lesquels let leur leurs like lol',
            'lors lorsqu lorsque lui maintenant mais make mal malgré may mdr meme mes mieux moi',
            'moins mon more most much même mêmes never new non nos not notre nous now off one',
            'only ont other ouais oui our ours out over own par parce parfois parmi part pas',
            'pendant peu peut peuvent peux plus plusieurs plutôt pour pourquoi pourra pourraient',
            'pourrait pourtant pouvoir presqu presque puis puisqu puisque quand que quel quelle',
            'quelles quelqu quelque quelques quels qui quoi quoique really rien sait same sans',
            'sauf say see selon sera serais serait seront ses seul seulement she should sinon soi',
            'soit some someone something sommes son sont sous souvent still such suis sur surtout',
            'svp tant tellement tes than that the their them then there these they this those',
            'through toi ton too toujours tous tout toute toutes tres trop trouve très two tôt',
            'under une until use vais vas vers very veulent veut veux via vient voi voici voilà',
            'voir vois vont vos votre vous vrai vraiment want was way were what when where which',
            'while who whom why will with would yes you your étaient étais était étant été êtes',
            'être'
        ), ' ') as words
),

spans as (
    select
        mention_public.text_hash,
        min(mention_public.text) as text,
        max(mention_public.published_at) >= any_value(about.made_at) - interval '7 days' as is_new
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '28 days'
        and not mention_public.is_own
        and mention_public.text != ''
    group by mention_public.text_hash
),

sized as (
    select
        spans.*,
        count(*) over (partition by spans.is_new) as span_count
    from spans
),

chosen as (
    select
        sized.text,
        sized.is_new,
        count(*) over (partition by sized.is_new) as text_count
    from sized
    cross join thresholds
    where
        hash(sized.text_hash)
        % greatest(1, ceil(sized.span_count / thresholds.most_texts)::bigint) = 0
),

said as (
    select
        chosen.is_new,
        chosen.text_count,
        unnest(list_distinct(regexp_extract_all(lower(chosen.text), '\p{L}[\p{L}-]+'))) as word
    from chosen
),

totals as (
    select
        coalesce(max(chosen.text_count) filter (where chosen.is_new), 0) as new_total,
        coalesce(max(chosen.text_count) filter (where not chosen.is_new), 0) as old_total
    from chosen
),

counted as (
    select
        said.word,
        count(*) filter (where said.is_new) as new_count,
        count(*) filter (where not said.is_new) as old_count
    from said
    cross join thresholds
    where length(said.word) >= thresholds.least_letters
    group by said.word
    having count(*) filter (where said.is_new) >= any_value(thresholds.least_texts)
),

expected as (
    select
        counted.*,
        totals.new_total,
        totals.old_total,
        (counted.new_count + counted.old_count) * totals.new_total
        / (totals.new_total + totals.old_total) as new_expected,
        (counted.new_count + counted.old_count) * totals.old_total
        / (totals.new_total + totals.old_total) as old_expected
    from counted
    cross join totals
    where counted.word not in (select unnest(function_words.words) from function_words)
)

select
    expected.word,
    expected.new_count,
    expected.old_count,
    round(expected.new_count / expected.new_total, 4) as new_share,
    round(expected.old_count / nullif(expected.old_total, 0), 4) as old_share,
    round(2 * (
        expected.new_count * ln(expected.new_count / expected.new_expected)
        + if(
            expected.old_count = 0, 0,
            expected.old_count * ln(expected.old_count / expected.old_expected)
        )
    ), 1) as score
from expected
where expected.new_count > expected.new_expected
order by score desc, expected.word asc
limit 50;
