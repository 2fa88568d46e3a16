"""What is in front of a load balancer: certificates, records, distributions, APIs and firewalls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.drift import property_differences
from samjhadoo_emulator.cloudformation.language.schemas import schema
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk, Made
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType

    Types = Callable[[str], dict[str, ResourceType]]

VISIBILITY = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "web"}


def differences(made: Made) -> Any:
    """Return how a resource differs from its template, as drift detection finds it."""
    return property_differences(made.request.properties, made.read(), schema(made.kind.name))


def is_gone(made: Made) -> bool:
    """Delete a resource twice; return whether it is gone."""
    made.delete()
    made.delete()
    return made.read() is None


@pytest.fixture(scope="module")
def zone(desk: Desk, of_service: Types) -> Made:
    return desk.create(
        of_service("route53")["HostedZone"],
        Name="example.com",
        HostedZoneConfig={"Comment": "ours"},
        HostedZoneTags=[{"Key": "Owner", "Value": "ops"}],
    )


def records(desk: Desk, zone: Made) -> dict[tuple[str, str], Any]:
    found = desk.client("route53").list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    return {(each["Name"], each["Type"]): each for each in found}


def test_a_zone_has_name_servers_and_a_comment_that_changes(desk: Desk, zone: Made) -> None:
    assert zone.attributes["Id"] == zone.id
    assert len(zone.attributes["NameServers"]) == 4
    zone.update(HostedZoneConfig={"Comment": "theirs"}, HostedZoneTags=[{"Key": "Team", "Value": "web"}])
    assert zone.read()["HostedZoneConfig"]["Comment"] == "theirs"
    tags = desk.client("route53").list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone.id)
    found = {each["Key"]: each["Value"] for each in tags["ResourceTagSet"]["Tags"]}
    assert found == {"Environment": "test", "Team": "web"}


def test_a_record_moves_to_another_name(desk: Desk, of_service: Types, zone: Made) -> None:
    made = desk.create(
        of_service("route53")["RecordSet"],
        HostedZoneId=zone.id,
        Name="old.example.com.",
        Type="A",
        TTL="60",
        ResourceRecords=["10.0.0.1"],
    )
    assert (made.id, differences(made)) == ("old.example.com.", ())
    with pytest.raises(AwsError, match=r"name='old\.example\.com\.', type='A'\] but it already exists"):
        desk.create(made.kind, **made.request.properties)
    made.update(Name="new.example.com", ResourceRecords=["10.0.0.2"])
    assert made.id == "new.example.com"
    assert ("old.example.com.", "A") not in records(desk, zone)
    assert is_gone(made)


def test_records_find_their_zone_by_name(desk: Desk, of_service: Types, zone: Made) -> None:
    alias = {"DNSName": "d1.cloudfront.net", "HostedZoneId": "Z2FDTNDATAQYW2"}
    made = desk.create(
        of_service("route53")["RecordSetGroup"],
        HostedZoneName="example.com.",
        RecordSets=[
            {"Name": "www.example.com", "Type": "A", "AliasTarget": alias},
            {
                "Name": "mail.example.com",
                "Type": "MX",
                "TTL": "60",
                "ResourceRecords": ["1 mail.example.com"],
            },
        ],
    )
    assert records(desk, zone)["www.example.com.", "A"]["AliasTarget"]["DNSName"].startswith("d1.cloudfront")
    made.update(RecordSets=made.request.properties["RecordSets"][:1])
    assert ("mail.example.com.", "MX") not in records(desk, zone)
    assert is_gone(made)
    with pytest.raises(AwsError, match=r"Found 0 hosted zones with the name example\.org"):
        desk.create(
            of_service("route53")["RecordSetGroup"],
            HostedZoneName="example.org.",
            RecordSets=[{"Name": "a.example.org", "Type": "A", "TTL": "1", "ResourceRecords": ["10.0.0.1"]}],
        )


def test_a_certificate_is_proven_by_a_record_in_the_zone_of_its_domain(
    desk: Desk, of_service: Types, zone: Made
) -> None:
    made = desk.create(
        of_service("acm")["Certificate"],
        DomainName="shop.example.com",
        SubjectAlternativeNames=["www.example.com"],
        ValidationMethod="DNS",
        DomainValidationOptions=[{"DomainName": "shop.example.com", "HostedZoneId": zone.id}],
    )
    acm = desk.client("acm")
    found = acm.describe_certificate(CertificateArn=made.id)["Certificate"]
    assert found["Status"] == "ISSUED"
    proofs = {each["DomainName"]: each["ResourceRecord"] for each in found["DomainValidationOptions"]}
    proof = proofs["shop.example.com"]
    assert records(desk, zone)[proof["Name"], "CNAME"]["ResourceRecords"] == [{"Value": proof["Value"]}]
    assert differences(made) == ()
    made.update(Tags=[{"Key": "Owner", "Value": "ops"}])
    tags = acm.list_tags_for_certificate(CertificateArn=made.id)["Tags"]
    assert {each["Key"]: each["Value"] for each in tags} == {"Environment": "test", "Owner": "ops"}
    assert is_gone(made)


def test_a_distribution_is_disabled_before_it_is_deleted(desk: Desk, of_service: Types) -> None:
    made = desk.create(
        of_service("cloudfront")["Distribution"],
        DistributionConfig={
            "Enabled": True,
            "IPV6Enabled": True,
            "HttpVersion": "http2and3",
            "Aliases": ["shop.example.com"],
            "WebACLId": "arn:aws:wafv2:us-east-1:000000000000:global/webacl/edge/1",
            "ViewerCertificate": {
                "AcmCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/1",
                "SslSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1.2_2021",
            },
            "Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist", "Locations": ["IN"]}},
            "Logging": {"Bucket": "logs.s3.amazonaws.com"},
            "Origins": [
                {
                    "Id": "api",
                    "DomainName": "api.example.com",
                    "CustomOriginConfig": {
                        "OriginProtocolPolicy": "https-only",
                        "OriginSSLProtocols": ["TLSv1.2"],
                    },
                    "OriginCustomHeaders": [{"HeaderName": "X-Origin-Secret", "HeaderValue": "secret"}],
                }
            ],
            "DefaultCacheBehavior": {
                "TargetOriginId": "api",
                "ViewerProtocolPolicy": "redirect-to-https",
                "AllowedMethods": ["GET", "HEAD", "OPTIONS"],
                "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                "Compress": True,
            },
            "CustomErrorResponses": [{"ErrorCode": 404, "ErrorCachingMinTTL": 0}],
        },
    )
    cloudfront = desk.client("cloudfront")
    found = cloudfront.get_distribution(Id=made.id)["Distribution"]
    assert (found["Status"], found["DomainName"]) == ("Deployed", made.attributes["DomainName"])
    assert found["DistributionConfig"]["Origins"]["Items"][0]["CustomHeaders"]["Quantity"] == 1
    assert differences(made) == ()
    wanted = {**made.request.properties["DistributionConfig"], "Comment": "changed", "Aliases": []}
    made.update(DistributionConfig=wanted)
    assert (made.read()["DistributionConfig"]["Comment"], differences(made)) == ("changed", ())
    made.delete()
    assert "UpdateDistribution" in desk.aws.calls
    assert made.read() is None
    made.delete()


def test_access_to_an_origin_is_controlled(desk: Desk, of_service: Types) -> None:
    configuration = {
        "Name": "bucket",
        "OriginAccessControlOriginType": "s3",
        "SigningBehavior": "always",
        "SigningProtocol": "sigv4",
    }
    kind = of_service("cloudfront")["OriginAccessControl"]
    made = desk.create(kind, OriginAccessControlConfig=configuration)
    assert differences(made) == ()
    made.update(OriginAccessControlConfig={**configuration, "SigningBehavior": "never"})
    assert differences(made) == ()
    made.delete()
    assert made.read() is None


def test_an_http_api_sends_its_requests_into_a_network(desk: Desk, of_service: Types) -> None:
    types = of_service("apigatewayv2")
    api = desk.create(
        types["Api"],
        Name="web",
        ProtocolType="HTTP",
        Description="all",
        CorsConfiguration={"AllowOrigins": ["https://example.com"], "MaxAge": 60},
        Tags={"Owner": "ops"},
    )
    assert api.attributes["ApiEndpoint"].startswith("https://")
    link = desk.create(types["VpcLink"], Name="net", SubnetIds=["subnet-1"], SecurityGroupIds=["sg-1"])
    integration = desk.create(
        types["Integration"],
        ApiId=api.id,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="ANY",
        ConnectionType="VPC_LINK",
        ConnectionId=link.id,
        IntegrationUri="arn:aws:elasticloadbalancing:ap-south-1:000000000000:listener/app/web/1/2",
        PayloadFormatVersion="1.0",
        TimeoutInMillis=30000,
        TlsConfig={"ServerNameToVerify": "example.com"},
        RequestParameters={"overwrite:header.X-From": "api"},
        ResponseParameters={
            "500": {"ResponseParameters": [{"Destination": "append:header.X-Failed", "Source": "yes"}]}
        },
    )
    authorizer = desk.create(
        types["Authorizer"],
        ApiId=api.id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Audience": ["web"], "Issuer": "https://example.com"},
    )
    route = desk.create(
        types["Route"], ApiId=api.id, RouteKey="$default", Target=f"integrations/{integration.id}"
    )
    stage = desk.create(
        types["Stage"],
        ApiId=api.id,
        StageName="$default",
        AutoDeploy=True,
        DefaultRouteSettings={"ThrottlingBurstLimit": 100, "ThrottlingRateLimit": 50.0},
        AccessLogSettings={
            "DestinationArn": "arn:aws:logs:ap-south-1:000000000000:log-group:a",
            "Format": "x",
        },
    )
    assert stage.id == "$default"
    all_of_it = [api, link, integration, authorizer, route, stage]
    assert {each.kind.name: differences(each) for each in all_of_it if differences(each)} == {}
    api.update(Description=None, CorsConfiguration=None, Tags={"Team": "web"})
    tags = desk.client("apigatewayv2").get_api(ApiId=api.id)["Tags"]
    assert tags == {"Environment": "test", "Team": "web"}
    integration.update(TimeoutInMillis=10000)
    route.update(RouteKey="GET /")
    stage.update(DefaultRouteSettings={"ThrottlingBurstLimit": 10}, Tags={"Owner": "ops"})
    link.update(Name="network")
    assert {each.kind.name: differences(each) for each in all_of_it if differences(each)} == {}
    for each in (stage, route, authorizer, integration, link, api):
        assert is_gone(each), each.kind.name


def test_an_api_has_a_name_of_its_own(desk: Desk, of_service: Types) -> None:
    types = of_service("apigatewayv2")
    api = desk.create(types["Api"], Name="named", ProtocolType="HTTP")
    stage = desk.create(types["Stage"], ApiId=api.id, StageName="live")
    name = desk.create(
        types["DomainName"],
        DomainName="api.example.com",
        DomainNameConfigurations=[{"EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}],
    )
    mapping = desk.create(
        types["ApiMapping"], ApiId=api.id, DomainName=name.id, Stage=stage.id, ApiMappingKey="v1"
    )
    assert (name.id, name.attributes["DomainNameArn"].rpartition("/")[2]) == (name.id, "api.example.com")
    everything = [api, stage, name, mapping]
    assert {each.kind.name: differences(each) for each in everything if differences(each)} == {}
    with pytest.raises(AwsError, match=r"cannot change Stage of AWS::ApiGatewayV2::ApiMapping in place"):
        mapping.update(Stage="other")
    for each in (mapping, name, stage, api):
        assert is_gone(each), each.kind.name


def test_a_web_acl_guards_a_load_balancer(desk: Desk, of_service: Types) -> None:
    types = of_service("wafv2")
    addresses = desk.create(
        types["IPSet"], Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["10.0.0.0/8"], Name="office"
    )
    patterns = desk.create(types["RegexPatternSet"], Scope="REGIONAL", RegularExpressionList=["^/admin"])
    rules = [
        {
            "Name": "rate",
            "Priority": 0,
            "Action": {"Block": {"CustomResponse": {"ResponseCode": 429}}},
            "Statement": {"RateBasedStatement": {"AggregateKeyType": "IP", "Limit": 100}},
            "VisibilityConfig": VISIBILITY,
        },
        {
            "Name": "office",
            "Priority": 1,
            "Action": {"Allow": {}},
            "Statement": {"IPSetReferenceStatement": {"Arn": addresses.attributes["Arn"]}},
            "VisibilityConfig": VISIBILITY,
        },
        {
            "Name": "secret",
            "Priority": 2,
            "Action": {"Block": {}},
            "Statement": {
                "ByteMatchStatement": {
                    "SearchString": "secret",
                    "FieldToMatch": {"SingleHeader": {"Name": "x-origin-secret"}},
                    "PositionalConstraint": "EXACTLY",
                    "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
                }
            },
            "VisibilityConfig": VISIBILITY,
        },
    ]
    acl = desk.create(
        types["WebACL"],
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        VisibilityConfig=VISIBILITY,
        Rules=rules,
    )
    assert acl.id.endswith("|REGIONAL")
    assert acl.attributes.keys() == {"Arn", "Id", "Capacity", "LabelNamespace"}
    group = desk.create(
        types["RuleGroup"], Scope="REGIONAL", Capacity=10, VisibilityConfig=VISIBILITY, Rules=rules[:1]
    )
    balancer = "arn:aws:elasticloadbalancing:ap-south-1:000000000000:loadbalancer/app/web/1"
    guarded = desk.create(types["WebACLAssociation"], ResourceArn=balancer, WebACLArn=acl.attributes["Arn"])
    logging = desk.create(
        types["LoggingConfiguration"],
        ResourceArn=acl.attributes["Arn"],
        LogDestinationConfigs=["arn:aws:s3:::aws-waf-logs-web"],
        RedactedFields=[{"SingleHeader": {"Name": "authorization"}}],
    )
    everything = [addresses, patterns, acl, group, guarded, logging]
    assert {each.kind.name: differences(each) for each in everything if differences(each)} == {}
    acl.update(Rules=rules[:2], Description="fewer", Tags=[{"Key": "Owner", "Value": "ops"}])
    addresses.update(Addresses=["10.0.0.0/8", "192.168.0.0/16"])
    patterns.update(RegularExpressionList=["^/admin", "^/internal"])
    group.update(Rules=rules[:1], Description="shared")
    logging.update(LogDestinationConfigs=["arn:aws:s3:::aws-waf-logs-other"])
    assert {each.kind.name: differences(each) for each in everything if differences(each)} == {}
    tags = desk.client("wafv2").list_tags_for_resource(ResourceARN=acl.attributes["Arn"])
    found = {each["Key"]: each["Value"] for each in tags["TagInfoForResource"]["TagList"]}
    assert found == {"Environment": "test", "Owner": "ops"}
    for each in (logging, guarded, group, acl, patterns, addresses):
        assert is_gone(each), each.kind.name


def test_what_guards_cloudfront_is_in_us_east_1(desk: Desk, of_service: Types) -> None:
    kind = of_service("wafv2")["WebACL"]
    properties = {"Scope": "CLOUDFRONT", "DefaultAction": {"Allow": {}}, "VisibilityConfig": VISIBILITY}
    before = len(desk.aws.calls)
    with pytest.raises(AwsError, match="The scope is not valid"):
        desk.create(kind, **properties)
    assert len(desk.aws.calls) == before


def test_services_are_registered_in_a_namespace(desk: Desk, of_service: Types) -> None:
    types = of_service("servicediscovery")
    vpc = desk.client("ec2").create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    private = desk.create(types["PrivateDnsNamespace"], Name="internal", Vpc=vpc, Description="ours")
    http = desk.create(types["HttpNamespace"], Name="http")
    service = desk.create(
        types["Service"],
        Name="web",
        NamespaceId=private.id,
        Description="the web",
        DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}]},
    )
    assert private.attributes["Arn"].endswith(private.id)
    assert {each.kind.name: differences(each) for each in (private, http, service) if differences(each)} == {}
    service.update(DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}]}, Description="the web")
    http.update(Description="by the API", Tags=[{"Key": "Owner", "Value": "ops"}])
    assert {each.kind.name: differences(each) for each in (private, http, service) if differences(each)} == {}
    for each in (service, http, private):
        assert is_gone(each), each.kind.name
