{#- A row is a pair of lists with contacts in common. -#}
with memberships as (
    select
        source_relation,
        api_version,
        contact_id,
        list_id
    from {{ ref('constant_contact__contact_lists') }}
    where contact_status = 'active'
),

sizes as (
    select
        source_relation,
        list_id,
        count(*) as contacts
    from memberships
    group by source_relation, list_id
),

pairs as (
    select
        one.source_relation,
        one.api_version,
        one.list_id,
        other.list_id as other_list_id,
        count(*) as contacts_in_both
    from memberships as one
    inner join memberships as other
        on one.source_relation = other.source_relation
        and one.contact_id = other.contact_id
        and one.list_id < other.list_id
    group by one.source_relation, one.api_version, one.list_id, other.list_id
)

select
    pairs.source_relation,
    pairs.api_version,
    pairs.list_id,
    pairs.other_list_id,
    pairs.contacts_in_both,
    sizes.contacts - pairs.contacts_in_both as contacts_only_in_first,
    other_sizes.contacts - pairs.contacts_in_both as contacts_only_in_other,
    {{ constant_contact_rate(
        'pairs.contacts_in_both',
        '(sizes.contacts + other_sizes.contacts - pairs.contacts_in_both)'
    ) }} as share_in_both
from pairs
inner join sizes
    on pairs.source_relation = sizes.source_relation
    and pairs.list_id = sizes.list_id
inner join sizes as other_sizes
    on pairs.source_relation = other_sizes.source_relation
    and pairs.other_list_id = other_sizes.list_id
