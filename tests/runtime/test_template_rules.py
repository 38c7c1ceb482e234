"""One bad template per rule: each stops the start and says whose problem it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_runtime.hosting.template import TemplateProblems, read_template

GOOD = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size:
    Type: Number
    Default: 5
    MinValue: 1
  Mode:
    Type: String
    Default: fast
    AllowedValues: [fast, slow]
  Secret:
    Type: String
    NoEcho: true
  Where:
    Type: String
    Default: here
    AllowedPattern: "[a-z]+"
Conditions:
  IsFast: !Equals [!Ref Mode, fast]
Globals:
  Function:
    Runtime: python3.11
    Handler: handler.lambda_handler
    Timeout: 10
    Environment:
      Variables:
        SIZE: !Ref Size
        SECRET: !Ref Secret
Resources:
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: package/
  Logs:
    Type: AWS::Logs::LogGroup
  Api:
    Type: AWS::Serverless::HttpApi
  Sockets:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      Routes:
        $connect:
          FunctionArn: !GetAtt LetIn.Arn
  SayHello:
    Type: AWS::Serverless::Function
    Metadata:
      LocalRuntime:
        InvokeAtStart: true
    Properties:
      CodeUri: functions/say_hello/
      MemorySize: 256
      Layers:
        - !Ref Layer
      Environment:
        Variables:
          MODE: !Ref Mode
      Events:
        Get:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /hello/{name}
        Daily:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: cron(0 4 * * ? *)
            ScheduleExpressionTimezone: Europe/Berlin
            Input: '{"all": true}'
            RetryPolicy:
              MaximumRetryAttempts: 2
              MaximumEventAgeInSeconds: 60
        Hourly:
          Type: Schedule
          Properties:
            Schedule: rate(1 hour)
  LetIn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/let_in/
  TakeJobs:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/take_jobs/
      Events:
        Jobs:
          Type: MQ
          Properties:
            Broker: arn:aws:mq:eu-west-1:123456789012:broker:b
            Queues: [jobs]
            BatchSize: 50
            MaximumBatchingWindowInSeconds: 1
            SourceAccessConfigurations:
              - Type: BASIC_AUTH
                URI: arn:aws:secretsmanager:eu-west-1:123456789012:secret:s
Outputs:
  Url:
    Value: !GetAtt Api.ApiEndpoint
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files the good template speaks of."""
    for name in ("say_hello", "let_in", "take_jobs"):
        directory = tmp_path / "functions" / name
        directory.mkdir(parents=True)
        (directory / "handler.py").write_text("def lambda_handler(event, context):\n    return {}\n")
    (tmp_path / "functions" / "say_hello" / "later.py").write_text("async def lambda_handler(event, context):\n    return {}\n")
    (tmp_path / "functions" / "say_hello" / "broken.py").write_text("def (:\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "empty").mkdir()
    return tmp_path


def problems_of(project: Path, text: str, **parameters: str) -> TemplateProblems:
    template = project / "template.yaml"
    template.write_text(text)
    with pytest.raises(TemplateProblems) as caught:
        read_template(template, parameters, {"SECRET"})
    return caught.value


def test_the_good_template_is_good(project: Path) -> None:
    template = project / "template.yaml"
    template.write_text(GOOD)
    assert len(read_template(template, {}, {"SECRET"}).functions) == 3


# What to replace in the good template, by what; whose problem it then is, and words of its message.
RULES = {
    # the file
    "a duplicate key": ("      MemorySize: 256\n", "      MemorySize: 256\n      MemorySize: 512\n", "SayHello", "second time"),
    "an alias": ("MemorySize: 256", "Tags: &tags {a: b}\n      Description: *tags", "SayHello", "YAML alias"),
    "a merge": ("MemorySize: 256", "<<: {Tags: {}}", "SayHello", "YAML merge"),
    "a tag of Python": ("MemorySize: 256", "MemorySize: !!python/name:os.system", "SayHello", "YAML tag"),
    "no YAML": ("Resources:\n", "Resources: [\n", "Template", "is not valid YAML"),
    # sections
    "an unknown section": ("Outputs:\n", "Mappings: {}\nOutputs:\n", "Mappings", "section is not supported"),
    "another transform": ("AWS::Serverless-2016-10-31", "AWS::Include", "Transform", "is 'AWS::Include'"),
    "another version": ("2010-09-09", "2020-01-01", "AWSTemplateFormatVersion", "is '2020-01-01'"),
    "other Globals": ("Globals:\n", "Globals:\n  Api: {}\n", "Globals", "not supported in Globals"),
    "an unknown property in Globals": ("    Timeout: 10\n", "    Events: {}\n", "Globals", "not supported in a Globals.Function"),
    "an output without value": ("    Value: !GetAtt Api.ApiEndpoint", "    Description: nothing", "Url", "Value is missing"),
    "an output of what is not there": ("!GetAtt Api.ApiEndpoint", "!GetAtt Nobody.Arn", "Url", "'Nobody', which is no resource"),
    # parameters
    "an unknown property of a parameter": ("    MinValue: 1", "    Minimum: 1", "Size", "no property of a parameter"),
    "an unknown parameter type": ("    Type: Number", "    Type: Integer", "Size", "no usable Type"),
    "a number that is none": ("Default: 5", "Default: five", "Size", "'five' is not a number"),
    "a number out of range": ("Default: 5", "Default: 0", "Size", "outside MinValue 1"),
    "a value that is not allowed": ("Default: fast", "Default: quick", "Mode", "none of the AllowedValues fast, slow"),
    "a value against the pattern": ("Default: here", "Default: HERE", "Where", "does not match AllowedPattern"),
    "a pattern that is none": ('"[a-z]+"', '"[a-z"', "Where", "no regular expression"),
    "a parameter without a value": (
        "        SIZE: !Ref Size",
        "        SIZE: !Ref Secret",
        "Globals",
        "neither a value nor a default",
    ),
    # intrinsic functions and references
    "an unknown intrinsic function": ("!Ref Mode\n", "!FindInMap [a, b, c]\n", "SayHello", "Fn::FindInMap is not supported"),
    "a reference to nothing": ("!Ref Mode\n", "!Ref Mood\n", "SayHello", "'Mood', which is neither a parameter nor a resource"),
    "an attribute of nothing": ("!Ref Mode\n", "!GetAtt Mood.Arn\n", "SayHello", "'Mood', which is no resource"),
    "an attribute without a name": ("!Ref Mode\n", "!GetAtt Api\n", "SayHello", "takes a resource and an attribute"),
    "a substitution of nothing": ("!Ref Mode\n", '!Sub "${Mood}"\n', "SayHello", "'Mood', which is neither"),
    "a substitution of no text": ("!Ref Mode\n", "!Sub [a]\n", "SayHello", "Fn::Sub takes a text"),
    "a join of no list": ("!Ref Mode\n", "!Join [a, b]\n", "SayHello", "Fn::Join takes a list"),
    "a selection of one": ("!Ref Mode\n", "!Select [a]\n", "SayHello", "Fn::Select takes an index and a list"),
    "a selection of what is not there": ("!Ref Mode\n", "!Select [2, [a, b]]\n", "SayHello", "no element 2"),
    "a split without a separator": ("!Ref Mode\n", "!Split ['', a]\n", "SayHello", "Fn::Split takes a separator"),
    "a choice without a condition": ("!Ref Mode\n", "!If [IsSlow, a, b]\n", "SayHello", "no condition 'IsSlow'"),
    "a choice of two": ("!Ref Mode\n", "!If [IsFast, a]\n", "SayHello", "Fn::If takes"),
    "a comparison outside Conditions": ("!Ref Mode\n", "!Equals [a, b]\n", "SayHello", "only in the section Conditions"),
    "a function mixed with members": ("!Ref Mode\n", "{'Fn::Sub': a, b: c}\n", "SayHello", "mixes an intrinsic function"),
    "a condition that is none": ("!Equals [!Ref Mode, fast]", "!Sub fast", "IsFast", "is not a condition"),
    "a comparison of one": ("!Equals [!Ref Mode, fast]", "!Equals [fast]", "IsFast", "takes a list of 2"),
    "a condition on a resource": ("!Equals [!Ref Mode, fast]", "!Equals [!Ref Api, fast]", "IsFast", "'Api', which is neither"),
    "a condition on the cloud": ("MemorySize: 256", "MemorySize: !Ref AWS::Region", "SayHello", "only in the cloud"),
    # resources
    "an unknown type": ("AWS::Logs::LogGroup", "AWS::Logs::LogStream", "Logs", "'AWS::Logs::LogStream' is not supported"),
    "no type": ("Type: AWS::Logs::LogGroup", "Properties: {}", "Logs", "Type is missing"),
    "an unknown attribute": (
        "Type: AWS::Logs::LogGroup",
        "Type: AWS::Logs::LogGroup\n    CreationPolicy: {}",
        "Logs",
        "in a resource",
    ),
    "an unknown condition": ("Type: AWS::Logs::LogGroup", "Type: AWS::Logs::LogGroup\n    Condition: No", "Logs", "no condition"),
    "a dependency on nothing": (
        "Type: AWS::Logs::LogGroup",
        "Type: AWS::Logs::LogGroup\n    DependsOn: X",
        "Logs",
        "no resource 'X'",
    ),
    "unknown metadata": ("      LocalRuntime:\n", "      LocalRunTime:\n", "SayHello", "resource's Metadata"),
    "unknown local metadata": ("InvokeAtStart: true", "InvokeAtEnd: true", "SayHello", "LocalRuntime entry"),
    "a start that is neither": ("InvokeAtStart: true", "InvokeAtStart: maybe", "SayHello", "is 'maybe'"),
    # functions
    "an unknown property": ("MemorySize: 256", "Memory: 256", "SayHello", "not supported in a function"),
    "a property that is not hosted": ("MemorySize: 256", "FunctionUrlConfig: {}", "SayHello", "not supported in a function"),
    "no such directory": ("functions/say_hello/", "functions/say_goodbye/", "SayHello", "no directory functions/say_goodbye/"),
    "code in a bucket": ("CodeUri: functions/say_hello/", "CodeUri: {Bucket: a, Key: b}", "SayHello", "no local directory"),
    "another name than its directory": ("  SayHello:\n", "  SayHi:\n", "SayHi", "belongs to the logical id SayHello"),
    "no code": ("      CodeUri: functions/say_hello/\n", "", "SayHello", "CodeUri is missing"),
    "no such handler file": ("MemorySize: 256", "Handler: main.lambda_handler", "SayHello", "no file say_hello/main.py"),
    "no such handler": ("MemorySize: 256", "Handler: handler.main", "SayHello", "does not define main"),
    "a handler of another form": ("MemorySize: 256", "Handler: handler:main", "SayHello", "is 'handler:main'"),
    "a handler that is a coroutine": ("MemorySize: 256", "Handler: later.lambda_handler", "SayHello", "coroutine function"),
    "a handler that is no Python": ("MemorySize: 256", "Handler: broken.lambda_handler", "SayHello", "is no Python"),
    "no handler": ("    Handler: handler.lambda_handler\n", "", "SayHello", "Handler is missing"),
    "a runtime of the past": ("python3.11", "python3.9", "Globals", "is 'python3.9'"),
    "a runtime of the future": ("python3.11", "python3.99", "Globals", "is 'python3.99'"),
    "another language": ("python3.11", "nodejs22.x", "Globals", "is 'nodejs22.x'"),
    "no time": ("MemorySize: 256", "Timeout: 0", "SayHello", "is 0"),
    "too much time": ("    Timeout: 10", "    Timeout: 901", "Globals", "is 901"),
    "a time that is no number": ("MemorySize: 256", "Timeout: soon", "SayHello", "is 'soon'"),
    "little memory": ("MemorySize: 256", "MemorySize: 127", "SayHello", "is 127"),
    "much memory": ("MemorySize: 256", "MemorySize: 10241", "SayHello", "is 10241"),
    "a layer of somebody else": ("!Ref Layer", "arn:aws:lambda:eu-west-1:1:layer:x:1", "SayHello", "no layer of this template"),
    "a layer without a directory": ("ContentUri: package/", "ContentUri: packages/", "Layer", "no directory packages/"),
    "a layer without a package": ("ContentUri: package/", "ContentUri: empty/", "Layer", "nothing in empty/ can be imported"),
    "a layer with more": ("ContentUri: package/", "ContentUri: package/\n      Size: 1", "Layer", "not supported in a layer"),
    # environment
    "a bad name": ("          MODE: ", "          MODE-1: ", "SayHello", "no name of an environment variable"),
    "a reserved name": ("          MODE: ", "          AWS_REGION: ", "SayHello", "reserved for Lambda"),
    "a name of the process": ("          MODE: ", "          PATH: ", "SayHello", "reserved for the process itself"),
    "a list for a value": ("          MODE: !Ref Mode", "          MODE: [a]", "SayHello", "is no text"),
    "a value of the cloud": ("          MODE: !Ref Mode", "          MODE: !GetAtt Api.ApiId", "SayHello", "only in the cloud"),
    "two values": ("          MODE: !Ref Mode", "          SIZE: 6", "LetIn", "one value here and another in SayHello"),
    "too many": ("          MODE: !Ref Mode", f"          MODE: {'x' * 4096}", "SayHello", "larger than Lambda's 4096"),
    # HTTP
    "an unknown event": ("Type: HttpApi\n", "Type: SQS\n", "SayHello", "event type 'SQS' is not supported"),
    "an unknown property of an event": ("Method: GET", "Method: GET\n            Auth: {}", "SayHello", "in a HttpApi event"),
    "an API that is not declared": ("ApiId: !Ref Api", "ApiId: !Ref Logs", "SayHello", "no HTTP API of this template"),
    "no API": ("            ApiId: !Ref Api\n", "", "SayHello", "ApiId is missing"),
    "an unknown method": ("Method: GET", "Method: FETCH", "SayHello", "method FETCH"),
    "no method": ("            Method: GET\n", "", "SayHello", "Method is missing"),
    "no path": ("            Path: /hello/{name}\n", "", "SayHello", "Path is missing"),
    "a path without a slash": ("/hello/{name}", "hello", "SayHello", "does not begin with a /"),
    "a path with an empty part": ("/hello/{name}", "/hello//{name}", "SayHello", "empty part"),
    "a slash after a parameter": ("/hello/{name}", "/hello/{name}/", "SayHello", "empty part"),
    "half a parameter": ("/hello/{name}", "/hello/x{name}", "SayHello", "neither a literal nor a parameter"),
    "a parameter twice": ("/hello/{name}", "/{name}/{name}", "SayHello", "names a parameter twice"),
    "more after everything": ("/hello/{name}", "/{name+}/x", "SayHello", "takes everything"),
    "an old payload": ("Method: GET", 'Method: GET\n            PayloadFormatVersion: "1.0"', "SayHello", "is '1.0'"),
    "too slow for HTTP": ("MemorySize: 256", "Timeout: 31", "SayHello", "an HTTP API waits 30 s"),
    "a named stage": ("HttpApi\n  Sockets", "HttpApi\n    Properties: {StageName: v1}\n  Sockets", "Api", "is 'v1'"),
    "an authorizer": (
        "HttpApi\n  Sockets",
        "HttpApi\n    Properties: {Auth: {}}\n  Sockets",
        "Api",
        "not supported in a HTTP API",
    ),
    "a second API": ("  Logs:\n", "  Other:\n    Type: AWS::Serverless::HttpApi\n  Logs:\n", "Api", "is a second HTTP API"),
    # WebSocket
    "no $connect": ("        $connect:", "        $default:", "Sockets", "has no $connect"),
    "a route key with dots": (
        "        $connect:",
        "        a.b: {FunctionArn: !GetAtt LetIn.Arn}\n        $connect:",
        "Sockets",
        "route key 'a.b'",
    ),
    "a function that is not there": ("!GetAtt LetIn.Arn", "!GetAtt Api.Arn", "Sockets", "no function of this template"),
    "an alias of no function": ("!GetAtt LetIn.Arn", "!Ref Api.Alias", "Sockets", "'Api.Alias', which is neither"),
    "a selection of the header": ("$request.body.action", "$request.header.x", "Sockets", "is '$request.header.x'"),
    "a stage with a slash": ("      Routes:", "      StageName: a/b\n      Routes:", "Sockets", "is 'a/b'"),
    "an answering route": ("LetIn.Arn", "LetIn.Arn\n          RouteResponseSelectionExpression: x", "Sockets", "WebSocket route"),
    "authorization": (
        "      Routes:",
        "      Auth: {AuthType: AWS_IAM}\n      Routes:",
        "Sockets",
        "not supported in a WebSocket API",
    ),
    "too slow for a WebSocket": ("functions/let_in/", "functions/let_in/\n      Timeout: 30", "Sockets", "waits 29 s"),
    # queues
    "no queue": ("            Queues: [jobs]\n", "", "TakeJobs", "Queues is missing"),
    "two queues": ("[jobs]", "[jobs, more]", "TakeJobs", "exactly one queue"),
    "no broker": ("            Broker: arn:aws:mq:eu-west-1:123456789012:broker:b\n", "", "TakeJobs", "Broker is missing"),
    "an empty batch": ("BatchSize: 50", "BatchSize: 0", "TakeJobs", "is 0"),
    "a large batch": ("BatchSize: 50", "BatchSize: 10001", "TakeJobs", "is 10001"),
    "a long window": ("InSeconds: 1\n", "InSeconds: 301\n", "TakeJobs", "is 301"),
    "no login": ("BASIC_AUTH", "VIRTUAL_HOST", "TakeJobs", "has no BASIC_AUTH"),
    "another login": ("BASIC_AUTH", "SASL_SCRAM_512_AUTH", "TakeJobs", "is 'SASL_SCRAM_512_AUTH'"),
    "a queue that may be on": ("BatchSize: 50", "Enabled: perhaps", "TakeJobs", "is 'perhaps'"),
    "a filter": ("BatchSize: 50", "FilterCriteria: {}", "TakeJobs", "not supported in a MQ event"),
    # schedules
    "a cron of five fields": ("cron(0 4 * * ? *)", "cron(0 4 * * *)", "SayHello", "has 5 fields"),
    "a cron that never comes": ("cron(0 4 * * ? *)", "cron(0 4 30 2 ? *)", "SayHello", "never comes"),
    "a rate below a minute": ("rate(1 hour)", "rate(30 seconds)", "SayHello", "no rate"),
    "a rate in the wrong number": ("rate(1 hour)", "rate(1 hours)", "SayHello", "should be rate(1 hour)"),
    "no expression at all": ("rate(1 hour)", "hourly", "SayHello", "is no schedule"),
    "a rule for one time": ("rate(1 hour)", "at(2030-01-01T00:00:00)", "SayHello", "for ScheduleV2 only"),
    "an unknown time zone": ("Europe/Berlin", "Europe/Entenhausen", "SayHello", "no time zone 'Europe/Entenhausen'"),
    "an input that is no JSON": ("""'{"all": true}'""", "all", "SayHello", "no text with JSON"),
    "an input that is no text": ("""'{"all": true}'""", "{all: true}", "SayHello", "no text with JSON"),
    "many retries": ("MaximumRetryAttempts: 2", "MaximumRetryAttempts: 186", "SayHello", "is 186"),
    "a short age": ("MaximumEventAgeInSeconds: 60", "MaximumEventAgeInSeconds: 59", "SayHello", "is 59"),
    "a flexible window": (
        "            RetryPolicy",
        "            FlexibleTimeWindow: {Mode: FLEXIBLE}\n            RetryPolicy",
        "SayHello",
        "is",
    ),
    "a schedule that is off": (
        "            RetryPolicy",
        "            State: DISABLED\n            RetryPolicy",
        "SayHello",
        "'DISABLED'",
    ),
    "a schedule with an end": (
        "            RetryPolicy",
        "            EndDate: x\n            RetryPolicy",
        "SayHello",
        "ScheduleV2 event",
    ),
    "two schedules of a name": (
        "Schedule: rate(1 hour)",
        "Name: SayHelloDaily\n            Schedule: rate(1 hour)",
        "SayHello",
        "is already SayHello's",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_template_that_cannot_be_hosted_says_why(project: Path, rule: str) -> None:
    old, new, logical_id, message = RULES[rule]
    assert old in GOOD
    found = problems_of(project, GOOD.replace(old, new, 1)).problems
    assert [problem for problem in found if problem.logical_id == logical_id and message in problem.message], found


SECOND_ROUTE = """
  LetIn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/let_in/
      Events:
        Get:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: get
            Path: {path}
"""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/hello/{name}", "the route GET /hello/{name} is already SayHello's"),
        ("/hello/{other}", "the route GET /hello/{other} cannot be told from GET /hello/{name} of SayHello"),
    ],
)
def test_two_routes_for_the_same_requests_are_refused(project: Path, path: str, message: str) -> None:
    start = GOOD.index("  LetIn:\n    Type")
    end = GOOD.index("  TakeJobs:")
    text = GOOD[:start] + SECOND_ROUTE.lstrip("\n").replace("{path}", f"'{path}'") + GOOD[end:]
    assert [problem.message for problem in problems_of(project, text).problems] == [message]


def test_a_queue_has_one_consumer(project: Path) -> None:
    event = GOOD[GOOD.index("        Jobs:\n") : GOOD.index("Outputs:")]
    text = GOOD.replace("Outputs:", event.replace("Jobs:", "MoreJobs:") + "Outputs:")
    assert [str(problem) for problem in problems_of(project, text).problems] == [
        "TakeJobs Properties.Events.MoreJobs (line 98): the queue jobs is already consumed by TakeJobs"
    ]


def test_all_problems_are_reported_together_in_the_order_of_the_file(project: Path) -> None:
    text = GOOD.replace("Default: 5", "Default: five").replace("MemorySize: 256", "Memory: 256")
    text = text.replace("Queues: [jobs]", "Queues: []").replace("rate(1 hour)", "rate(1 hours)").replace("$connect:", "$default:")
    error = problems_of(project, text)
    assert [problem.logical_id for problem in error.problems] == ["Size", "Sockets", "SayHello", "SayHello", "TakeJobs"]
    assert str(error).startswith(f"{project / 'template.yaml'} cannot be hosted, 5 problems:\n  Size (line 4): 'five'")
    assert str(error).count("\n") == 5


def test_a_problem_names_its_place_line_and_what_is_supported(project: Path) -> None:
    (problem,) = problems_of(project, GOOD.replace("BatchSize: 50", "BatchSize: many")).problems
    assert (problem.logical_id, problem.where) == ("TakeJobs", "Properties.Events.Jobs.Properties.BatchSize")
    assert GOOD.splitlines()[problem.line - 1].strip() == "BatchSize: 50"
    assert problem.supported == "whole numbers from 1 to 10000"


def test_a_secret_parameter_is_not_shown(project: Path) -> None:
    text = GOOD.replace("    NoEcho: true", "    NoEcho: true\n    AllowedPattern: '[0-9]+'")
    (problem,) = problems_of(project, text, Secret="hunter2").problems
    assert "hunter2" not in str(problem)
    assert "its value does not match" in problem.message


@pytest.mark.parametrize(("text", "message"), [("", "not a mapping"), ("- a\n", "not a mapping"), ("a: 1\n", "Resources")])
def test_what_is_no_template_is_refused(project: Path, text: str, message: str) -> None:
    assert message in str(problems_of(project, text)).replace("is not a mapping", "not a mapping")


def test_a_template_that_is_not_there_is_a_problem_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(TemplateProblems, match="No such file"):
        read_template(tmp_path / "nowhere.yaml", {}, ())
