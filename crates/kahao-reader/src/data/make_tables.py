"""Makes issuers.csv and bins.csv, the BIN table inside kahao, from a folder of BIN facts.

    python3 make_tables.py FACTS_FOLDER [--out FOLDER] [--coverage]

Reads bin_facts.csv, sources.csv and bank_names.csv; writes issuers.csv and bins.csv beside this file (or into
--out); --coverage also prints the figures of docs/ISSUERS.md. Same facts, same bytes. Needs Python alone.

Every judgement that is not in the facts is a constant below, with its reason.
"""

import argparse
import csv
import io
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

# A table of card faces: UnionPay's payment tokens and test ranges are never printed on plastic.
NOT_ON_PLASTIC_ISSUERS = {"中国银联支付标记", "银联远程快捷(测试)"}
NOT_ON_PLASTIC_PRODUCTS = {"测试卡"}
# Leading 0 and 66 are magnetic-stripe layouts: 交通银行 writes 405512 as 00405512 or 66405512 there. The only other
# rows under 66 are two of 网商银行, from a single list and without the form of a real range.
NOT_ON_PLASTIC_PREFIXES = ("0", "66")
# These hints rest on one prefix for all banks: too weak to print as a type.
WEAK_HINT = "prefix "

# The names people use, where the facts' short name is the long form. A legal name is never changed here.
SHORT_NAMES = {
    "中国工商银行": "工商银行",
    "中国农业银行": "农业银行",
    "中国建设银行": "建设银行",
    "中国邮政储蓄银行": "邮储银行",
    "中国光大银行": "光大银行",
    "中国民生银行": "民生银行",
    "上海浦东发展银行": "浦发银行",
    "深圳前海微众银行": "微众银行",
}
# Misprints, truncations and second spellings in the source tables. Two spellings of one issuer become one issuer.
CORRECTIONS = {
    "集宁包闹村镇银行": "集宁包商村镇银行",
    "重庆市酋阳融兴村镇银行": "重庆市酉阳融兴村镇银行",
    "衮州中成村镇银行": "兖州中成村镇银行",
    "安徽濉溪湖商卡村镇银行": "安徽濉溪湖商村镇银行",
    "安徽粤西湖商村镇银行": "安徽岳西湖商村镇银行",
    "广州番禹新华村镇银行": "广州番禺新华村镇银行",
    "四川铁东德丰村镇银行": "四平铁东德丰村镇银行",
    "中银通商务支付": "中银通支付商务",
    "中银通支付": "中银通支付商务",
    "Discover Financial Services,I": "Discover Financial Services",
    "AI-Hail ORIX Finance PSC": "AL Hail Orix Finance PSC",
    "AL HAIL ORIX FINANCE": "AL Hail Orix Finance PSC",
    "Bangkok Bank Public Company Li": "Bangkok Bank Pcl",
    "Bank of china(Malaysia) Berhad": "Bank of China (Malaysia) Berhad",
    "Bank of China Malaysia Berhad": "Bank of China (Malaysia) Berhad",
    "Bank of China(Malaysia)": "Bank of China (Malaysia) Berhad",
    "Banque Pour Le Commerce Exteri": "Banque Pour Le Commerce Exterieur",
    "Canadia Band Plc": "Canadia Bank PLC",
    "CJSC “Spitamen Bank”": "CJSC Spitamen Bank",
    "Golomt bank of Monglia": "Golomt Bank of Mongolia",
    "IinternationalbankofTajikistan": "International Bank of Tajikistan",
    "International BankofAzerbaijan": "International Bank of Azerbaijan",
    "Kiatnakin Bank Pubulic CL": "Kiatnakin Bank Public CL",
    "Krung Thaj Bank Public Co. Ltd": "Krung Thai Bank Public Co. Ltd",
    "PT BANK SINARMAS TBK": "PT Bank Sinarmas,Tbk",
    "international crads company": "International Cards Company",
}

NATIONAL = set(
    "中国工商银行 中国农业银行 中国银行 中国建设银行 交通银行 中国邮政储蓄银行 中信银行 中国光大银行 华夏银行 中国民生银行 "
    "招商银行 兴业银行 上海浦东发展银行 广发银行 平安银行 浙商银行 恒丰银行 渤海银行".split()
)
PRIVATE = set(
    "深圳前海微众银行 浙江网商银行 温州民商银行 天津金城银行 上海华瑞银行 重庆富民银行 四川新网银行 湖南三湘银行 安徽新安银行 "
    "福建华通银行 武汉众邦银行 北京中关村银行 江苏苏宁银行 威海蓝海银行 辽宁振兴银行 梅州客商银行 吉林亿联银行 "
    "中信百信银行".split()
)
CLASSES = "national city rural village private foreign hk-macau overseas".split()

TYPES = {"借记卡": "debit", "贷记卡": "credit", "准贷记卡": "quasi-credit", "预付费卡": "prepaid", "": ""}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("facts", type=Path, help="folder with bin_facts.csv, sources.csv, bank_names.csv")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--coverage", action="store_true", help="print the figures of docs/ISSUERS.md")
    args = parser.parse_args()

    facts = read_csv(args.facts / "bin_facts.csv")
    sources = read_csv(args.facts / "sources.csv")
    families = {row["id"]: row["family"] for row in sources if row["family"] not in ("names", "schemes")}
    # The table is as fresh as its newest transcription of UnionPay's own file; derived lists add a few rows only.
    date = max(row["date"][:10] for row in sources if row["family"].startswith("UP"))

    kept, dropped = [], Counter()
    for row in facts:
        reason = why_not_on_plastic(row)
        if reason:
            dropped[reason] += 1
        else:
            row["bank_name"] = CORRECTIONS.get(row["bank_name"], row["bank_name"])
            kept.append(row)
    drop_borrowed_products(kept)

    issuers = make_issuers(kept)
    bins = [make_bin(row, issuers[row["bank_name"]]["id"], families) for row in kept]
    bins.sort(key=lambda row: (row["prefix"], row["length"]))

    write_csv(
        args.out / "issuers.csv",
        [
            "Card issuers; made by make_tables.py, provenance in docs/ISSUERS.md.",
            "id: UnionPay institution code. name: full legal name, empty where no source gives it: then short_name is answered.",
            "short_name: as the bank is called or printed; a merged bank keeps its printed name beside its successor's name.",
        ],
        "id name short_name code class".split(),
        sorted(issuers.values(), key=lambda row: row["id"]),
    )
    write_csv(
        args.out / "bins.csv",
        [
            f"date: {date}",
            "Card number prefixes; made by make_tables.py, provenance in docs/ISSUERS.md. Key: prefix and length.",
            "type_from: empty = a list says so; parent = from the issuer's shorter prefix; issuer = from its like prefixes.",
            "families: how many independent lists name this issuer for this prefix and length.",
        ],
        "prefix length issuer type type_from card_name families".split(),
        bins,
    )
    if args.coverage:
        print_coverage(facts, dropped, issuers, bins, kept)


def why_not_on_plastic(row):
    """The reason to leave a row out, or None."""
    if row["bank_name"] in NOT_ON_PLASTIC_ISSUERS or row["card_name"] in NOT_ON_PLASTIC_PRODUCTS:
        return "payment tokens and test ranges"
    if row["bin"].startswith(NOT_ON_PLASTIC_PREFIXES):
        return "magnetic-stripe layouts and unverified 66 ranges"
    return None


def drop_borrowed_products(rows):
    """Removes a product that a row took over from another bank's row of the same prefix and another length.

    The facts join product names by prefix where a table gives no length, so 工商银行's 18-digit numbers came to
    carry products of other banks. The row that fewer sources know loses the name.
    """
    by_prefix = defaultdict(list)
    for row in rows:
        by_prefix[row["bin"]].append(row)
    for same in by_prefix.values():
        for row in same:
            for other in same:
                if (
                    row["card_name"]
                    and row["bank_name"] != other["bank_name"]
                    and row["card_name"] == other["card_name"]
                    and row["sources"].count(";") < other["sources"].count(";")
                ):
                    row["card_name"] = ""


def make_issuers(rows):
    """Issuers by the facts' bank_name. An id is the commonest institution code; of several issuers with one code
    the one with most rows has it bare and the others get -2, -3; issuers without a code are X-1, X-2."""
    codes, first = defaultdict(Counter), {}
    for row in rows:
        name = row["bank_name"]
        known = first.setdefault(name, {"legal": "", "code": ""})
        known["legal"] = known["legal"] or row["bank_full_name"]
        known["code"] = known["code"] or row["bank_code"].split(",")[0]
        codes[name]  # an issuer without any code still gets a Counter
        if row["institution_code"]:
            codes[name][row["institution_code"]] += 1

    issuers, taken = {}, Counter()
    for name in sorted(first, key=lambda name: (-codes[name].total(), name)):
        ranked = sorted(codes[name].items(), key=lambda item: (-item[1], item[0]))
        base = ranked[0][0] if ranked else "X"
        taken[base] += 1
        ident = f"{base}-{taken[base]}" if base == "X" or taken[base] > 1 else base
        issuers[name] = {
            "id": ident,
            "name": first[name]["legal"],
            "short_name": SHORT_NAMES.get(name, name),
            "code": first[name]["code"],
            "class": classify(name, base),
        }
    return issuers


def classify(name, code):
    """The kind of issuer; only for the figures and for people, the reader does not use it."""
    if name in NATIONAL:
        return "national"
    if name in PRIVATE:
        return "private"
    if "村镇银行" in name:
        return "village"
    if "(中国)" in name or name in ("富邦华一银行", "华商银行", "中德住房储蓄银行"):
        return "foreign"
    if re.search("农村|农商|信用合作|信用社", name):
        return "rural"
    if code.startswith("25") or re.search("澳门|香港|Macau|MACAU|Hong Kong", name):
        return "hk-macau"
    if name.endswith("银行") and (code[:2] in ("03", "04", "05", "06") or code == "X" or name == "厦门国际银行"):
        return "city"
    return "overseas"


def make_bin(row, issuer_id, families):
    hint_is_used = not row["card_type"] and row["type_hint"] and not row["type_hint_basis"].startswith(WEAK_HINT)
    return {
        "prefix": row["bin"],
        "length": row["number_length"],
        "issuer": issuer_id,
        "type": TYPES[row["card_type"] or (row["type_hint"] if hint_is_used else "")],
        "type_from": ("parent" if row["type_hint_basis"].startswith("parent") else "issuer") if hint_is_used else "",
        "card_name": tidy(row["card_name"]),
        "families": count_agreeing(row, families),
    }


def count_agreeing(row, families):
    """Families that name the row's issuer: those of its sources, less those that name another bank."""
    agreeing = {families[source] for source in row["sources"].split(";")}
    for conflict in row["conflicts"].split("; "):
        if conflict.startswith("bank:"):
            for source in re.search(r"\[([^\]]*)\]", conflict).group(1).split(","):
                agreeing.discard(families.get(source.strip(), source.strip()))
    return max(1, len(agreeing))


def tidy(product):
    """One spelling for one product: no blanks around it, parentheses as the tables print most; "" for words that say none."""
    if product in ("无", "——"):
        return ""
    return re.sub(r"\s+", " ", product).strip().replace("（", "(").replace("）", ")").replace('"', "")


def print_coverage(facts, dropped, issuers, bins, kept):
    by_id = {row["id"]: row for row in issuers.values()}
    print(f"facts {len(facts)} rows, table {len(bins)} rows, {len({b['prefix'] for b in bins})} prefixes, ", end="")
    print(f"{len(issuers)} issuers, {sum(1 for i in issuers.values() if i['name'])} with legal name")
    for reason, count in sorted(dropped.items()):
        print(f"left out: {reason}: {count}")
    print("\n| class | issuers | with legal name | rows | rows with legal name | type listed | type hint | no type |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in CLASSES + ["all"]:
        who = [i for i in issuers.values() if kind in ("all", i["class"])]
        rows = [b for b in bins if kind in ("all", by_id[b["issuer"]]["class"])]
        print(
            f"| {kind} | {len(who)} | {sum(1 for i in who if i['name'])} | {len(rows)} "
            f"| {sum(1 for b in rows if by_id[b['issuer']]['name'])} "
            f"| {sum(1 for b in rows if b['type'] and not b['type_from'])} "
            f"| {sum(1 for b in rows if b['type_from'])} | {sum(1 for b in rows if not b['type'])} |"
        )
    print("\ntypes", dict(sorted(Counter(b["type"] or "none" for b in bins).items())))
    print("lengths", dict(sorted(Counter(b["length"] for b in bins).items())))
    print("prefix lengths", dict(sorted(Counter(len(b["prefix"]) for b in bins).items())))
    print("families", dict(sorted(Counter(b["families"] for b in bins).items())))
    no_unionpay = sum(1 for r in kept if not re.search(r"\bUP\d", r["sources"]))
    print("rows in no UnionPay-type table", no_unionpay)
    lengths, owners = Counter(), defaultdict(set)
    for b in bins:
        lengths[b["prefix"]] += 1
        owners[b["prefix"]].add(b["issuer"])
    print("prefixes with more than one length", sum(1 for n in lengths.values() if n > 1), end="")
    print(", of different issuers", sum(1 for ids in owners.values() if len(ids) > 1))


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path, head, columns, rows):
    text = io.StringIO()
    text.writelines(f"# {line}\n" for line in head)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    print(f"{path.name}: {len(rows)} rows, {len(text.getvalue().encode())} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
