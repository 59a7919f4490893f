-- Purpose: the upper end of the 95 % interval of a share, by Wilson (JASA 22, 1927, p. 209).
-- Use: share_high(negative_count, scored_count). On: any table. Reads: nothing.
-- Units: 0..1; null of nothing. Caveat: it knows of chance, not of a model's errors.
create or replace macro share_high(k, n) as
if(
    n > 0,
    least(
        1,
        (
            k / n + 1.9208 / n + 1.96 * sqrt(k / n * (1 - k / n) / n + 0.9604 / n / n)
        ) / (1 + 3.8416 / n)
    ),
    null
);
