import type { Database } from '../dialect.ts';
import { sql } from '../sql.ts';

/** What statements of loads call; which functions a server brings along it does not tell everybody. */
const FUNCTIONS =
  `abs acos adddate addtime aes_decrypt aes_encrypt any_value ascii asin atan atan2 avg benchmark bin bit_and bit_count
   bit_length bit_or bit_xor cast ceil ceiling char char_length character_length coalesce collation concat concat_ws
   connection_id conv convert convert_tz cos cot count crc32 cume_dist curdate current_date current_time current_timestamp
   current_user curtime database date date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear
   degrees dense_rank elt exp extract field find_in_set first_value floor format found_rows from_base64 from_days
   from_unixtime get_format get_lock greatest group_concat hex hour if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa
   insert instr interval is_ipv4 is_ipv6 is_uuid isnull json_array json_arrayagg json_contains json_depth json_extract
   json_insert json_keys json_length json_merge_patch json_object json_objectagg json_quote json_remove json_replace
   json_search json_set json_type json_unquote json_valid json_value lag last_day last_insert_id last_value lcase lead
   least left length ln localtime localtimestamp locate log log10 log2 lower lpad ltrim makedate maketime max md5
   microsecond mid min minute mod month monthname now nth_value ntile nullif oct octet_length ord percent_rank period_add
   period_diff pi position pow power quarter quote radians rand rank regexp_instr regexp_replace regexp_substr
   release_lock repeat replace reverse right round row_count row_number rpad rtrim schema sec_to_time second sha sha1 sha2
   sign sin sleep soundex space sqrt std stddev stddev_pop stddev_samp str_to_date strcmp subdate substr substring
   substring_index subtime sum sysdate tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff
   to_base64 to_days to_seconds trim truncate ucase uncompress unhex unix_timestamp upper user utc_date utc_time
   utc_timestamp uuid uuid_short var_pop var_samp variance version week weekday weekofyear weight_string year
   yearweek`.split(/\s+/);

/** Those, and people's own. */
export async function listFunctions(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ s: string; f: string }>(sql`
    select routine_schema as s, routine_name as f from information_schema.routines
    where routine_type = 'FUNCTION' and routine_schema not in ('mysql', 'sys')`);
  return [...FUNCTIONS, ...rows.map(({ s, f }) => `${s}.${f}`)];
}
